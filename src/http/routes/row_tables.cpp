#include "http/routes/row_tables.h"

#include <fmt/format.h>

#include "http/route.h"
#include "store/store.h"

namespace fewshop::http {
namespace {

using nlohmann::json;

constexpr size_t kMostRows = 10'000;      // of one table
constexpr size_t kMostColumns = 1'000;    // different members of its rows
constexpr size_t kMostCells = 1'000'000;  // every row has room for every column

/// A JSON value as the text that a column would hold.
std::optional<std::string> text_of(const json& value, const std::string& place) {
  if (value.is_null()) return std::nullopt;
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean()) return value.get<bool>() ? "1" : "0";
  if (value.is_number_integer()) return std::to_string(value.get<int64_t>());
  if (value.is_number()) return Value::of(value.get<double>()).to_text();
  throw HttpError(400, "invalid_body", place + ": expected a text, a number or a boolean, got " + value.type_name());
}

}  // namespace

TextRows rows_of(const json& rows, const std::string& place) {
  if (!rows.is_array()) throw HttpError(400, "invalid_body", place + ": expected a list of rows");
  if (rows.size() > kMostRows)
    throw HttpError(400, "invalid_body", fmt::format("{}: at most {} rows", place, kMostRows));
  TextRows table;
  table.place = place;
  for (const json& row : rows) {
    if (!row.is_object()) throw HttpError(400, "invalid_body", place + ": every row is a JSON object");
    std::vector<std::optional<std::string>> values(table.columns.size());
    for (const auto& entry : row.items()) {
      int column = table.find(entry.key());
      if (column < 0) {
        column = static_cast<int>(table.columns.size());
        table.columns.push_back(entry.key());
        if (table.columns.size() > kMostColumns || table.columns.size() * rows.size() > kMostCells)
          throw HttpError(400, "invalid_body", place + ": the rows have too many different members");
      }
      if (std::ssize(values) <= column) values.resize(column + 1);
      values[column] = text_of(entry.value(), place + "." + entry.key());
    }
    table.rows.push_back(std::move(values));
  }
  for (auto& row : table.rows) row.resize(table.columns.size());
  return table;
}

TextRows query_rows_of(const json& question) {
  TextRows rows = rows_of(question.value("query", json()), "query");
  if (rows.rows.empty()) throw HttpError(400, "invalid_body", "query: no rows");
  return rows;
}

EntityValues values_of(const json& object, const std::string& place) {
  EntityValues values;
  if (object.is_null()) return values;
  if (!object.is_object()) throw HttpError(400, "invalid_body", place + ": expected a JSON object");
  for (const auto& entry : object.items()) values[entry.key()] = text_of(entry.value(), place + "." + entry.key());
  return values;
}

}  // namespace fewshop::http
