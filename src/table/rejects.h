#pragma once

#include <cstdio>
#include <string>
#include <string_view>

namespace fewshop {

/// The file of the rows that did not fit: tab-separated, header "file line reason raw"; tabs, line ends and backslashes
/// are written as \t \n \r \\. It is made with the first reject; the one of an earlier import is removed at once.
class RejectFile {
 public:
  explicit RejectFile(std::string path);
  ~RejectFile();
  RejectFile(const RejectFile&) = delete;
  RejectFile& operator=(const RejectFile&) = delete;

  void add(const std::string& file, int64_t line, std::string_view reason, std::string_view raw);
  /// Completes the file; without it, it is removed again. Throws Failure when the disk is full.
  void finish();

  int64_t count() const { return count_; }
  /// The first one, for a message: "ratings.csv:7: column rating: '--' is no real number".
  const std::string& first() const { return first_; }
  /// "" where nothing was rejected.
  std::string path() const { return count_ ? path_ : ""; }

 private:
  std::string path_, first_;
  std::FILE* file_ = nullptr;
  int64_t count_ = 0;
};

}  // namespace fewshop
