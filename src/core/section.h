#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/toml_document.h"

namespace fewshop {

/// The known word nearest to `word` (at most a third of its letters differ), or "".
std::string nearest_word(std::string_view word, const std::vector<std::string>& known);

/// Checked access to one table of a TOML document. Every key that is asked for becomes a known key; done() refuses the
/// others. All errors name file, line, key, what was expected and what came.
class Section {
 public:
  /// `path` "" is the document itself; a path that is absent or not a table reads as empty or is refused.
  Section(const TomlDocument& document, std::string path);

  bool given() const { return given_; }
  bool has(const std::string& key);
  /// The raw value, or null.
  const nlohmann::json* find(const std::string& key);

  std::string text(const std::string& key, const std::string& otherwise = {});
  double number(const std::string& key, double otherwise, double low, double high);
  int64_t integer(const std::string& key, int64_t otherwise, int64_t low, int64_t high);
  bool boolean(const std::string& key, bool otherwise);
  /// A list of texts; one text stands for a list of one.
  std::vector<std::string> texts(const std::string& key);
  /// One of `words`; the error lists them.
  std::string word(const std::string& key, const std::string& otherwise, const std::vector<std::string>& words);

  /// Names a sub-table that somebody else reads.
  void expect(const std::string& key) { known_.push_back(key); }
  /// Keys that nobody asked for, as an object (a section whose other keys are options of a learner).
  nlohmann::json others() const;
  /// Refuses keys that nobody asked for, naming the known ones.
  void done() const;

  /// "file:line: section.key".
  std::string where(const std::string& key) const;
  /// Throws InvalidInput "file:line: section.key: expected <expected>, got <value>".
  [[noreturn]] void refuse(const std::string& key, const std::string& expected) const;

 private:
  const TomlDocument& document_;
  std::string path_;
  nlohmann::json empty_ = nlohmann::json::object();
  const nlohmann::json* values_ = &empty_;
  bool given_ = false;
  std::vector<std::string> known_;
};

}  // namespace fewshop
