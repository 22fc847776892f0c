#include "online/event_field.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "store/store.h"

namespace fewshop {
namespace {

using nlohmann::json;

struct TextColumn {
  const char* name;
  std::string EventRow::*member;
};
constexpr std::array<TextColumn, 5> kTexts = {{{"session_id", &EventRow::session_id},
                                               {"client_id", &EventRow::client_id},
                                               {"item_id", &EventRow::item_id},
                                               {"event", &EventRow::event},
                                               {"recommendation_id", &EventRow::recommendation_id}}};

struct NumberColumn {
  const char* name;
  double EventRow::*member;
};
constexpr std::array<NumberColumn, 4> kNumbers = {{{"quantity", &EventRow::quantity},
                                                   {"price", &EventRow::price},
                                                   {"value", &EventRow::value},
                                                   {"rating", &EventRow::rating}}};

template <class Columns>
auto column_named(const Columns& columns, const std::string& name) {
  return std::find_if(columns.begin(), columns.end(), [&](const auto& column) { return column.name == name; });
}

json member_of(const std::string& extra, const std::string& name) {
  if (extra.find('"' + name + '"') == std::string::npos) return nullptr;
  const json object = json::parse(extra, nullptr, false);
  return object.is_object() ? object.value(name, json()) : json();
}

/// As SQLite's json_extract() gives it, written as ids and categories are compared.
std::string text_of(const json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean()) return value.get<bool>() ? "1" : "0";
  if (value.is_number_integer()) return std::to_string(value.get<int64_t>());
  if (value.is_number()) return Value::of(value.get<double>()).to_text();
  return value.is_null() ? "" : value.dump();
}

/// What [rows] reads is a column of the table, or whatever its SQL calls so.
EventField field(const Scenario& scenario, const std::string& name, bool known, const char* part,
                 const std::string& columns) {
  require(known || !scenario.rows.sql.empty(), part, ": a live event has no column '", name, "'; it has ", columns,
          ", and what sql of [rows] takes out of extra");
  return {name, !known};
}

}  // namespace

std::string EventField::text(const EventRow& row) const {
  if (in_extra) return text_of(member_of(row.extra, name));
  const auto column = column_named(kTexts, name);
  return column == kTexts.end() ? "" : row.*column->member;
}

double EventField::number(const EventRow& row) const {
  if (!in_extra) {
    const auto column = column_named(kNumbers, name);
    return column == kNumbers.end() ? kNotGiven : row.*column->member;
  }
  const json value = member_of(row.extra, name);
  if (value.is_number()) return value.get<double>();
  if (value.is_boolean()) return value.get<bool>() ? 1 : 0;
  if (!value.is_string()) return kNotGiven;
  const auto& text = value.get_ref<const std::string&>();
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? number : kNotGiven;
}

EventField weight_field(const Scenario& scenario) {
  if (scenario.weight.empty()) return {};
  return field(scenario, scenario.weight, column_named(kNumbers, scenario.weight) != kNumbers.end(), "rows.weight",
               "quantity, price, value, rating");
}

EventField tie_field(const Scenario& scenario) {
  const std::string& ties = scenario.episode.ties;
  if (ties.empty() || ties == "time" || ties == "event_id") return {};
  return field(scenario, ties, column_named(kTexts, ties) != kTexts.end(), "episode.ties",
               "time, event_id, session_id, client_id, item_id, event, recommendation_id");
}

}  // namespace fewshop
