#include "table/text_rows.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"
#include "table/recipe.h"
#include "table/record.h"

namespace fewshop {

int TextRows::find(std::string_view column) const {
  const auto found = std::find(columns.begin(), columns.end(), column);
  return found == columns.end() ? -1 : static_cast<int>(found - columns.begin());
}

std::string TextRows::where(size_t row) const {
  return row < lines.size() ? fmt::format("{}: line {}", place, lines[row]) : fmt::format("{}: row {}", place, row + 1);
}

TextRows read_text_rows(const std::string& path) {
  const Recipe recipe = guess_recipe({path});
  const auto reader = open_records(path, recipe.tables.at(0).files.at(0).format);
  TextRows out{path, reader->columns(), {}, {}};
  Record record;
  while (reader->next(record)) {
    require(record.problem.empty(), path, ": line ", record.line, ": ", record.problem);
    std::vector<std::optional<std::string>>& row = out.rows.emplace_back();
    for (const std::string_view field : record.fields)
      row.push_back(field.empty() ? std::nullopt : std::optional<std::string>(field));
    out.lines.push_back(record.line);
  }
  return out;
}

}  // namespace fewshop
