#pragma once

#include <fmt/format.h>

#include <charconv>
#include <concepts>
#include <nlohmann/json.hpp>
#include <string>
#include <type_traits>
#include <vector>

#include "core/error.h"

namespace fewshop {

/// Range and help of one option. For booleans and text the range is not used.
struct Field {
  double min = 0, max = 1;
  const char* help = "";
};

/// One option as the catalogue, --help, validate and the docs show it.
struct FieldInfo {
  std::string name, type;
  nlohmann::json default_value;
  double min = 0, max = 0;
  std::string help;
};

// An options struct T has one list of fields, found by argument-dependent lookup:
//   template <class Visitor> void fields(T& o, Visitor&& visit) { visit("inner_steps", o.inner_steps, Field{1, 100,
//   "..."}); }
// Field types: int, int64_t, double, bool, std::string.

/// Name, type, default, range and help of every field of T.
template <class T>
std::vector<FieldInfo> describe_fields() {
  std::vector<FieldInfo> list;
  T defaults;
  fields(defaults, [&](const char* name, auto& value, const Field& field) {
    using V = std::decay_t<decltype(value)>;
    const char* type = std::same_as<V, bool>          ? "boolean"
                       : std::same_as<V, std::string> ? "text"
                       : std::floating_point<V>       ? "number"
                                                      : "integer";
    list.push_back({name, type, value, field.min, field.max, field.help});
  });
  return list;
}

/// Sets fields from a JSON object; unknown names, wrong types and values out of range are refused.
/// `where` begins the message ("learner").
template <class T>
void set_fields(T& options, const nlohmann::json& values, const std::string& where) {
  require(values.is_object(), where, ": expected names with values, got ", values.dump());
  std::string known;
  for (const auto& item : values.items()) {
    // Names, not structured bindings: clang captures those in no lambda.
    const std::string& key = item.key();
    const nlohmann::json& value = item.value();
    bool found = false;
    known.clear();
    fields(options, [&](const char* name, auto& target, const Field& field) {
      known += (known.empty() ? "" : ", ") + std::string(name);
      if (key != name) return;
      found = true;
      using V = std::decay_t<decltype(target)>;
      const std::string place = where + "." + key;
      if constexpr (std::same_as<V, bool>) {
        require(value.is_boolean(), place, ": expected true or false, got ", value.dump(), "; it is: ", field.help);
      } else if constexpr (std::same_as<V, std::string>) {
        require(value.is_string(), place, ": expected text, got ", value.dump(), "; it is: ", field.help);
      } else {
        require(std::floating_point<V> ? value.is_number() : value.is_number_integer(), place, ": expected ",
                std::floating_point<V> ? "a number" : "a whole number", ", got ", value.dump(),
                "; it is: ", field.help);
        const double number = value.template get<double>();
        require(number >= field.min && number <= field.max, place, ": ", value.dump(), " is outside [",
                fmt::format("{}", field.min), ", ", fmt::format("{}", field.max), "]; it is: ", field.help);
      }
      target = value.template get<V>();
    });
    require(found, where, ": unknown option '", key, "'; known options: ", known);
  }
}

/// All fields as one JSON object.
template <class T>
nlohmann::json fields_to_json(T options) {
  nlohmann::json json = nlohmann::json::object();
  fields(options, [&](const char* name, auto& value, const Field&) { json[name] = value; });
  return json;
}

}  // namespace fewshop
