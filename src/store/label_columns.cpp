#include "store/label_columns.h"

#include <algorithm>
#include <optional>
#include <set>
#include <variant>

#include "core/text.h"
#include "store/event.h"
#include "store/shop_schema.h"

namespace fewshop {
namespace {

using nlohmann::json;

bool usable(const std::string& name) {
  static const std::set<std::string> ours = {"user_id",    "item_id", "labels", "comment", "hidden",
                                             "categories", "time",    "rowid",  "oid",     "_rowid_"};
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  return !name.empty() && name.size() <= 64 && letter(name[0]) && !ours.contains(name) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return letter(c) || digit(c); });
}

std::optional<ColumnType> type_of(const json& value) {
  if (value.is_number()) return ColumnType::kReal;
  if (value.is_boolean()) return ColumnType::kBoolean;
  if (value.is_string()) return ColumnType::kText;
  if (value.is_array() && !value.empty() &&
      std::all_of(value.begin(), value.end(), [](const json& part) { return part.is_string(); }))
    return ColumnType::kText;
  return std::nullopt;
}

using Cell = std::variant<std::monostate, double, std::string>;

/// The value as the column holds it; NULL where it is of another kind.
Cell cell_of(const json& value, const std::string& declared) {
  const bool text = declared.find("text") != std::string::npos || declared.find("char") != std::string::npos;
  if (text) {
    if (value.is_string()) return value.get<std::string>();
    if (value.is_number()) return Value::of(value.get<double>()).to_text();
    if (!value.is_array()) return {};
    std::string joined;
    for (const json& part : value) {
      if (!part.is_string()) return {};
      if (!joined.empty()) joined += '|';
      joined += part.get_ref<const std::string&>();
    }
    return joined;
  }
  if (value.is_boolean()) return value.get<bool>() ? 1.0 : 0.0;
  if (value.is_number() && declared != "boolean") return value.get<double>();
  return {};
}

}  // namespace

const std::string* LabelColumns::column_for(const std::string& label, const json& value) {
  const std::string name = ascii_lower(label);
  if (!usable(name)) return nullptr;
  if (types_.empty())
    for (const auto& [column, type] : columns_of(connection_, table_)) types_[ascii_lower(column)] = ascii_lower(type);
  const auto found = types_.find(name);
  if (found != types_.end()) return &found->second;
  const auto type = type_of(value);
  if (!type || static_cast<int>(types_.size()) >= kMostColumns) return nullptr;
  add_column(connection_, table_, name, *type);
  return &(types_[name] = type_name(*type));
}

void LabelColumns::write(const std::string& id, const json& before, const json& labels) {
  std::map<std::string, Cell> cells;  // by name in lower case
  if (before.is_object())
    for (const auto& [label, value] : before.items())
      if (column_for(label, json())) cells[ascii_lower(label)] = {};
  if (labels.is_object())
    for (const auto& [label, value] : labels.items())
      if (const std::string* type = column_for(label, value)) cells[ascii_lower(label)] = cell_of(value, *type);
  if (cells.empty()) return;
  std::string sets;
  for (const auto& cell : cells) sets += (sets.empty() ? "" : ", ") + quote_name(cell.first) + " = ?";
  auto query = connection_.query("update " + quote_name(table_) + " set " + sets + " where " + id_ + " = ?");
  for (const auto& cell : cells) {
    if (const auto* number = std::get_if<double>(&cell.second))
      query.add(*number);
    else if (const auto* text = std::get_if<std::string>(&cell.second))
      query.add(*text);
    else
      query.add(kNotGiven);
  }
  query.add(id).run();
}

}  // namespace fewshop
