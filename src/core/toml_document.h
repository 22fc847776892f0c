#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace fewshop {

/// A TOML text as plain values (dates and times as text), with the line that every key stands in.
struct TomlDocument {
  std::string place;  // file name, begins every message
  nlohmann::json values = nlohmann::json::object();
  std::map<std::string, int> lines;  // "split.train" -> line; keys that an override brought have none

  /// "melu.toml:12: split.train", or without the line where there is none.
  std::string where(const std::string& path) const;
};

/// Parses a text after check_toml_text. Throws InvalidInput with place and line.
TomlDocument parse_toml(std::string_view text, const std::string& place);

/// As parse_toml, of a file; a missing file, a directory and one above kMaxTomlBytes are refused before reading.
TomlDocument read_toml(const std::string& file);

/// Applies "a.b=value" overrides in order; the value is TOML, or plain text where it is not. Everything after
/// "features." is one key ("features.items.genres=category").
void apply_overrides(TomlDocument& document, const std::vector<std::string>& overrides);

}  // namespace fewshop
