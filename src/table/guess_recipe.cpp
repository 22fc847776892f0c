#include <fmt/format.h>

#include <filesystem>
#include <set>

#include "core/error.h"
#include "table/recipe.h"

namespace fewshop {
namespace {

namespace fs = std::filesystem;

/// The file name without folder, ".zst" or ".gz".
std::string plain_name(const std::string& path) {
  const fs::path name = fs::path(path).filename();
  return name.extension() == ".zst" || name.extension() == ".gz" ? name.stem().string() : name.string();
}

/// How often `separator` stands outside quotes.
int count_separators(std::string_view line, std::string_view separator) {
  int count = 0;
  bool quoted = false;
  for (size_t at = 0; at < line.size();) {
    if (line[at] == '"') quoted = !quoted;
    if (!quoted && line.substr(at).starts_with(separator)) {
      ++count;
      at += separator.size();
    } else {
      ++at;
    }
  }
  return count;
}

FileFormat guess_delimited(std::string_view line, const std::string& name) {
  FileFormat format;
  format.separator = name.ends_with(".tsv") ? '\t' : ',';
  int most = count_separators(line, format.separator);
  for (const char* separator : {"\t", ",", ";", "|", "::"}) {
    const int count = count_separators(line, separator);
    if (count <= most) continue;
    most = count;
    format.separator = separator;
  }
  if (format.separator.size() > 1) format.quote = 0;
  return format;
}

/// Whether every field of a tab-separated line is name:type.
bool is_recbole(std::string_view line) {
  while (true) {
    const size_t end = std::min(line.find('\t'), line.size());
    const std::string_view field = line.substr(0, end);
    const size_t colon = field.rfind(':');
    if (colon == std::string_view::npos) return false;
    const std::string_view type = field.substr(colon + 1);
    if (type != "token" && type != "token_seq" && type != "float" && type != "float_seq") return false;
    if (end == line.size()) return true;
    line.remove_prefix(end + 1);
  }
}

FileFormat guess_format(const std::string& path) {
  const std::string name = plain_name(path);
  TextSource source(path, Encoding::kUtf8);
  std::string_view line;
  do {
    require(source.next_line(line), path, ": empty, expected a header line");
  } while (line.find_first_not_of(" \t") == std::string_view::npos);
  const char first = line[line.find_first_not_of(" \t")];
  FileFormat format;
  if (first == '{') {
    format.kind = FileFormat::Kind::kJsonLines;
  } else if (first == '[' && name.ends_with(".json")) {
    format.kind = FileFormat::Kind::kJson;
  } else if (is_recbole(line)) {
    format.kind = FileFormat::Kind::kRecbole;
  } else {
    format = guess_delimited(line, name);
    const auto header = open_records(path, format)->columns();
    bool numbers = true;
    for (const auto& column : header) {
      Value value;
      numbers = numbers && parse_field(column, {ColumnType::kReal, ""}, value);
    }
    require(!numbers, path, ": the first line holds numbers only and so is no header; give the file one, or write a ",
            "recipe with columns = [...]");
  }
  return format;
}

}  // namespace

Recipe guess_recipe(const std::vector<std::string>& files, const std::string& table,
                    const std::map<std::string, FieldType>& types) {
  Recipe recipe;
  std::set<std::string> names;
  for (const auto& file : files) {
    const std::string stem = table.empty() ? fs::path(plain_name(file)).stem().string() : table;
    if (recipe.tables.empty() || table.empty()) {
      require(names.insert(stem).second, file, ": two files are called ", stem,
              "; import them one by one, or into one table with --table");
      auto& added = recipe.tables.emplace_back();
      added.name = stem;
      added.place = file;
      added.infer = true;
      added.types = types;
    }
    SourceFile source;
    source.pattern = file;
    source.format = guess_format(file);
    recipe.tables.back().files.push_back(std::move(source));
  }
  return recipe;
}

}  // namespace fewshop
