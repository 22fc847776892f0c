#include "table/record.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <set>

#include "core/error.h"

namespace fewshop {

std::unique_ptr<RecordReader> open_records(const std::string& path, const FileFormat& format) {
  switch (format.kind) {
    case FileFormat::Kind::kDelimited:
      return reader::delimited(path, format);
    case FileFormat::Kind::kBlanks:
      return reader::blanks(path, format);
    case FileFormat::Kind::kFixed:
      return reader::fixed(path, format);
    case FileFormat::Kind::kItems:
      return reader::items(path, format);
    case FileFormat::Kind::kJsonLines:
      return reader::json_lines(path, format);
    case FileFormat::Kind::kJson:
      return reader::json(path, format);
    case FileFormat::Kind::kRecbole:
      return reader::recbole(path, format);
  }
  throw std::logic_error("a kind of file without a reader");
}

void check_text(Record& record) {
  if (!record.problem.empty()) return;
  if (!simdjson::validate_utf8(record.raw.data(), record.raw.size()))
    record.problem = "not UTF-8 text (if the file is Latin-1, declare encoding = \"latin-1\")";
  else if (record.raw.find('\0') != std::string_view::npos)
    record.problem = "holds a zero byte";
}

std::vector<std::string> checked_header(const std::vector<std::string_view>& names, const std::string& path) {
  std::vector<std::string> columns;
  std::set<std::string> seen;
  for (std::string_view name : names) {
    while (!name.empty() && name.front() == ' ') name.remove_prefix(1);
    while (!name.empty() && name.back() == ' ') name.remove_suffix(1);
    require(simdjson::validate_utf8(name.data(), name.size()), path,
            ": the header is not UTF-8 text; is this the right file? (Latin-1 has to be declared in a recipe)");
    for (const unsigned char c : name)
      require(c >= 32 && c != 127, path, ": the header holds control characters; is this a text file?");
    columns.push_back(name.empty() ? fmt::format("column_{}", columns.size() + 1) : std::string(name));
    require(seen.insert(columns.back()).second, path, ": two columns are called '", columns.back(),
            "'; rename one of them");
  }
  require(!columns.empty(), path, ": no header");
  return columns;
}

}  // namespace fewshop
