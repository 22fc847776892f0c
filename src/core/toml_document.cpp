#include "core/toml_document.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

// toml++ 3.3 asserts what text can violate ("[" at the end of a line), and with NDEBUG lets the compiler rely on it. So
// its assertions stay on here, and throw. Some of them stand in noexcept functions, where that ends the process: texts
// can violate one of those (utf8_buffered_reader::step_back), and check_toml_text refuses these texts.
namespace fewshop {
struct TomlAssertion : std::logic_error {
  using std::logic_error::logic_error;
};
[[noreturn]] static void fail_toml_assertion(const char* what) { throw TomlAssertion(what); }
}  // namespace fewshop
#undef NDEBUG
#define TOML_ASSERT(expr) (static_cast<bool>(expr) ? void() : fewshop::fail_toml_assertion(#expr))
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

#include "core/error.h"
#include "core/toml_guard.h"

namespace fewshop {
namespace {

using nlohmann::json;

template <class T>
std::string as_text(const T& value) {
  std::ostringstream text;
  text << value;
  return text.str();
}

/// Copies a node and, beneath it, everything; `lines` gets one entry per key. Depth is bounded by check_toml_text.
json to_json(const toml::node& node, const std::string& path, std::map<std::string, int>& lines) {
  if (node.source().begin) lines.emplace(path, static_cast<int>(node.source().begin.line));
  if (const auto* table = node.as_table()) {
    json object = json::object();
    for (const auto& [key, value] : *table) {
      const std::string name(key.str());
      object[name] = to_json(value, path.empty() ? name : path + "." + name, lines);
    }
    return object;
  }
  if (const auto* array = node.as_array()) {
    json list = json::array();
    for (const auto& value : *array) list.push_back(to_json(value, path + "[]", lines));
    return list;
  }
  if (const auto* v = node.as_string()) return v->get();
  if (const auto* v = node.as_integer()) return v->get();
  if (const auto* v = node.as_floating_point()) return v->get();
  if (const auto* v = node.as_boolean()) return v->get();
  if (const auto* v = node.as_date()) return as_text(v->get());
  if (const auto* v = node.as_time()) return as_text(v->get());
  return as_text(node.as_date_time()->get());
}

json parse_value(const std::string& text, const std::string& place) {
  check_toml_text(text, place);
  try {
    const toml::table table = toml::parse("value = " + text);
    std::map<std::string, int> lines;
    if (table.size() == 1) return to_json(*table.get("value"), "", lines);
  } catch (const toml::parse_error&) {
    // Not TOML: plain text, so that nobody has to quote quotes for a shell.
  } catch (const TomlAssertion&) {
  }
  return text;
}

void apply_override(TomlDocument& document, const std::string& text) {
  const size_t equals = text.find('=');
  const std::string key = text.substr(0, equals);
  const std::string place = "--set " + text;
  require(equals != std::string::npos && equals > 0, place, ": expected KEY=VALUE, for example split.seed=3");
  json* target = &document.values;
  std::string path;
  for (size_t begin = 0;;) {
    const size_t dot = path == "features" ? std::string::npos : key.find('.', begin);
    const std::string part = key.substr(begin, dot == std::string::npos ? dot : dot - begin);
    require(!part.empty(), place, ": '", key, "' has an empty part; expected a key such as split.seed");
    require(target->is_object(), place, ": '", path, "' is a value, not a section");
    path += (path.empty() ? "" : ".") + part;
    target = &(*target)[part];
    document.lines.erase(path);
    if (dot == std::string::npos) break;
    if (target->is_null()) *target = json::object();
    begin = dot + 1;
  }
  *target = parse_value(text.substr(equals + 1), place);
}

}  // namespace

std::string TomlDocument::where(const std::string& path) const {
  const auto line = lines.find(path);
  return line == lines.end() ? place + ": " + path : fmt::format("{}:{}: {}", place, line->second, path);
}

TomlDocument parse_toml(std::string_view text, const std::string& place) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  check_toml_text(text, place);
  TomlDocument document;
  document.place = place;
  try {
    const toml::table table = toml::parse(text);
    document.values = to_json(table, "", document.lines);
  } catch (const toml::parse_error& error) {
    throw InvalidInput(fmt::format("{}:{}: {}", place, error.source().begin.line, error.description()));
  } catch (const TomlAssertion&) {
    throw InvalidInput(place + ": not TOML (a bracket or a key that is not finished on its line?)");
  }
  return document;
}

TomlDocument read_toml(const std::string& file) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::file_status status = fs::status(file, error);
  require(fs::exists(status), file, ": no such file");
  require(!fs::is_directory(status), file, ": a directory, expected a TOML file");
  // Only a regular file has a size; from a pipe no more than one byte above the limit is taken.
  if (fs::is_regular_file(status))
    require(fs::file_size(file) <= kMaxTomlBytes, file, ": ", fs::file_size(file),
            " bytes; a file of this kind has at most ", kMaxTomlBytes, " bytes");
  std::ifstream in(file, std::ios::binary);
  require(in.good(), file, ": cannot be read; check its permissions");
  std::string text(kMaxTomlBytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(in.gcount()));
  return parse_toml(text, file);
}

void apply_overrides(TomlDocument& document, const std::vector<std::string>& overrides) {
  for (const auto& text : overrides) apply_override(document, text);
}

}  // namespace fewshop
