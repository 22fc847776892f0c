#include "table/recipe.h"

#include <fmt/format.h>

#include <charconv>
#include <filesystem>
#include <set>

#include "core/error.h"
#include "core/resources.h"
#include "core/section.h"
#include "core/toml_document.h"

namespace fewshop {
namespace {

using nlohmann::json;

/// A part of a recipe as a document of its own, so that its keys are checked like any others.
TomlDocument part(const json& values, const std::string& place) {
  TomlDocument document;
  document.place = place;
  document.values = values;
  return document;
}

/// A table of texts: rename, constant, types.
std::map<std::string, std::string> read_texts(Section& section, const std::string& key, const char* expected) {
  std::map<std::string, std::string> texts;
  const json* value = section.find(key);
  if (!value) return texts;
  if (!value->is_object()) section.refuse(key, expected);
  for (const auto& [name, text] : value->items()) {
    if (!text.is_string()) section.refuse(key, expected);
    texts[name] = text.get<std::string>();
  }
  return texts;
}

FileFormat::Kind read_kind(Section& section) {
  const std::string word =
      section.word("format", "delimited", {"delimited", "blanks", "fixed", "items", "json-lines", "json", "recbole"});
  if (word == "blanks") return FileFormat::Kind::kBlanks;
  if (word == "fixed") return FileFormat::Kind::kFixed;
  if (word == "items") return FileFormat::Kind::kItems;
  if (word == "json-lines") return FileFormat::Kind::kJsonLines;
  if (word == "json") return FileFormat::Kind::kJson;
  if (word == "recbole") return FileFormat::Kind::kRecbole;
  return FileFormat::Kind::kDelimited;
}

FileFormat read_format(Section& section) {
  FileFormat format;
  format.kind = read_kind(section);
  using Kind = FileFormat::Kind;
  if (section.word("encoding", "utf-8", {"utf-8", "latin-1"}) == "latin-1") format.encoding = Encoding::kLatin1;
  format.skip = static_cast<int>(section.integer("skip", 0, 0, 1'000'000));
  format.columns = section.texts("columns");
  std::set<std::string> seen;
  for (const auto& column : format.columns)
    if (column.empty() || !seen.insert(column).second) section.refuse("columns", "names, none of them empty or twice");
  if (format.kind == Kind::kDelimited) {
    format.separator = section.text("separator", ",");
    if (format.separator.empty() || format.separator.find('\n') != std::string::npos)
      section.refuse("separator", "one character or more, no line end");
    const std::string quote = section.text("quote", format.separator.size() == 1 ? "\"" : "none");
    if (quote.size() > 1 && quote != "none")
      section.refuse("quote", "one character, or \"none\" where quotes mean nothing");
    format.quote = quote == "none" ? '\0' : quote[0];
  }
  if (format.kind == Kind::kFixed) {
    const json* widths = section.find("widths");
    if (!widths || !widths->is_array() || widths->empty()) section.refuse("widths", "a list of whole numbers");
    for (const auto& width : *widths) {
      if (!width.is_number_integer() || width.get<int64_t>() < 1 || width.get<int64_t>() > 1'000'000)
        section.refuse("widths", "a list of whole numbers, 1 to 1000000");
      format.widths.push_back(width.get<int>());
    }
    if (!format.columns.empty() && format.columns.size() != format.widths.size())
      section.refuse("widths", "as many as columns");
  }
  if (format.kind == Kind::kItems) {
    format.separator = section.text("separator", "");
    format.line = section.text("line", format.line);
    format.item = section.text("item", format.item);
    format.position = section.text("position", format.position);
    format.line_first = section.boolean("line_first", false);
    if (!format.columns.empty()) section.refuse("columns", "nothing: line, item and position name the columns");
    if (format.line == format.item || format.line == format.position || format.item == format.position)
      section.refuse("item", "three different names in line, item and position");
  }
  if (format.kind == Kind::kJson) {
    format.path = section.text("path");
    format.key = section.text("key");
  }
  return format;
}

std::vector<SourceFile> read_files(const json& table, const std::string& place) {
  std::vector<SourceFile> files;
  const auto found = table.find("files");
  const json list = found->is_array() ? *found : json::array({*found});
  require(!list.empty(), place, ": files: expected at least one");
  for (const auto& entry : list) {
    // What stands beside one file counts for it, what stands in the table for all.
    json merged = table;
    if (entry.is_object()) {
      require(entry.contains("file"), place, ": files: expected { file = \"...\", ... }");
      for (const auto& [key, value] : entry.items()) merged[key] = value;
    } else {
      merged["file"] = entry;
    }
    const auto document = part(merged, place);
    Section section(document, "");
    SourceFile file;
    file.pattern = section.text("file");
    if (file.pattern.empty() || file.pattern[0] == '/' || file.pattern.find("..") != std::string::npos)
      section.refuse("file", "a name within the folder of --from");
    file.format = read_format(section);
    file.constant = read_texts(section, "constant", "{ column = \"value\" }");
    if (entry.is_object()) {
      const auto own = part(entry, place + ": files");
      Section check(own, "");
      for (const char* key : {"file", "format", "encoding", "skip", "columns", "separator", "quote", "widths", "line",
                              "item", "position", "line_first", "path", "key", "constant"})
        check.expect(key);
      check.done();
    }
    files.push_back(std::move(file));
  }
  return files;
}

DropRule read_drop(const json& values, const std::string& place) {
  const auto document = part(values, place);
  Section section(document, "");
  DropRule rule;
  rule.column = section.text("column");
  rule.reason = section.text("reason");
  if (rule.column.empty()) section.refuse("column", "the name of a column");
  if (rule.reason.empty()) section.refuse("reason", "a few words under which the rows are counted");
  rule.equals = section.texts("equals");
  rule.prefix = section.text("prefix");
  rule.missing = section.boolean("missing", false);
  constexpr double kFar = 1e300;
  if (section.has("below")) rule.below = section.number("below", 0, -kFar, kFar);
  if (section.has("above")) rule.above = section.number("above", 0, -kFar, kFar);
  section.done();
  require(!rule.equals.empty() || !rule.prefix.empty() || rule.missing || rule.below || rule.above, place,
          ": expected at least one of equals, prefix, missing, below, above");
  return rule;
}

TableRecipe read_table(const json& values, const std::string& file, size_t number) {
  require(values.is_object(), file, ": table: expected [[table]]");
  TableRecipe table;
  {
    const auto found = values.find("name");
    require(found != values.end() && found->is_string() && !found->get<std::string>().empty(), file, ": table ", number,
            ": name: expected a text");
    table.name = found->get<std::string>();
  }
  table.place = file + ": table " + table.name;
  const auto document = part(values, table.place);
  Section section(document, "");
  section.expect("name");
  table.scratch = section.boolean("scratch", false);
  for (const auto& [column, type] : read_texts(section, "types", "{ column = \"type\" }"))
    table.types[column] = FieldType::parse(type, table.place + ": types." + column);
  if (const json* index = section.find("index")) {
    const json list = index->is_array() ? *index : json::array({*index});
    for (const auto& entry : list) {
      std::vector<std::string> columns;
      for (const auto& column : entry.is_array() ? entry : json::array({entry})) {
        if (!column.is_string()) section.refuse("index", "names of columns, or lists of them");
        columns.push_back(column.get<std::string>());
      }
      table.index.push_back(std::move(columns));
    }
  }
  table.sql = section.text("sql");
  if (!table.sql.empty()) {
    section.done();
    return table;
  }
  if (!section.has("files")) section.refuse("files", "names of files (or sql)");
  table.files = read_files(values, table.place);
  for (const char* key : {"format", "encoding", "skip", "columns", "separator", "quote", "widths", "line", "item",
                          "position", "line_first", "path", "key", "constant"})
    section.expect(key);
  table.optional = section.boolean("optional", false);
  table.infer = section.boolean("infer", false);
  table.rename = read_texts(section, "rename", "{ old = \"new\" }");
  table.missing = section.texts("missing");
  table.keep = section.texts("keep");
  if (const json* unpivot = section.find("unpivot")) {
    const auto inner = part(*unpivot, table.place + ": unpivot");
    Section keys(inner, "");
    table.unpivot = {keys.texts("columns"), keys.text("name"), keys.text("value")};
    keys.done();
    require(!table.unpivot.columns.empty() && !table.unpivot.name.empty() && !table.unpivot.value.empty(), table.place,
            ": unpivot: expected { columns = [...], name = \"...\", value = \"...\" }");
  }
  if (const json* drop = section.find("drop")) {
    if (!drop->is_array()) section.refuse("drop", "a list of rules");
    for (const auto& rule : *drop) {
      if (!rule.is_object()) section.refuse("drop", "a list of rules");
      table.drop.push_back(read_drop(rule, table.place + ": drop"));
    }
  }
  section.done();
  return table;
}

}  // namespace

bool DropRule::holds(std::string_view text) const {
  if (missing && !text.empty()) return false;
  if (!prefix.empty() && !text.starts_with(prefix)) return false;
  if (!equals.empty() && std::find(equals.begin(), equals.end(), text) == equals.end()) return false;
  if (below || above) {
    Value value;
    // What is no number is left to the types.
    if (text.empty() || !parse_field(text, {ColumnType::kReal, ""}, value)) return false;
    if (below && !(value.real < *below)) return false;
    if (above && !(value.real > *above)) return false;
  }
  return true;
}

Recipe read_recipe(const std::string& file) {
  const auto document = read_toml(file);
  Recipe recipe;
  recipe.file = file;
  Section section(document, "");
  recipe.name = section.text("name", std::filesystem::path(file).stem().string());
  recipe.title = section.text("title");
  recipe.source = section.text("source");
  recipe.licence = section.text("licence");
  const json* tables = section.find("table");
  if (!tables || !tables->is_array() || tables->empty()) section.refuse("table", "at least one [[table]]");
  section.done();
  std::set<std::string> names;
  for (const auto& table : *tables) {
    recipe.tables.push_back(read_table(table, file, recipe.tables.size() + 1));
    const auto& last = recipe.tables.back();
    require(names.insert(last.name).second, last.place, ": there is another table of this name");
  }
  return recipe;
}

std::map<std::string, std::string> bundled_recipes() {
  std::map<std::string, std::string> recipes;
  const std::string folder = resource_folder("datasets");
  if (folder.empty()) return recipes;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".toml") recipes[entry.path().stem().string()] = entry.path().string();
  return recipes;
}

std::map<std::string, FieldType> parse_types(const std::string& text) {
  std::map<std::string, FieldType> types;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const std::string entry = text.substr(begin, end - begin);
    const size_t equals = entry.find('=');
    require(equals != std::string::npos && equals > 0, "--types: expected col=type,..., got '", entry, "'");
    const std::string column = entry.substr(0, equals);
    require(types.count(column) == 0, "--types: the column '", column, "' is there twice");
    types[column] = FieldType::parse(entry.substr(equals + 1), "--types " + column);
    begin = end + 1;
  }
  return types;
}

}  // namespace fewshop
