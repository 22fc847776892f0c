#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace fewshop {

/// What `positive` says: a comparison with a number (">= 4") or with text ("== purchase").
struct Condition {
  enum class Operator { kGreaterEqual, kGreater, kLessEqual, kLess, kEqual, kNotEqual };
  Operator op = Operator::kEqual;
  double number = 0;
  std::string text;  // the right side as it was written
  bool numeric = false;

  bool holds(double value) const;
  bool holds(std::string_view value) const;
};

/// Reads "OPERATOR VALUE" with >=, >, <=, <, ==, = or !=; text allows only the last three. Nothing for anything else.
std::optional<Condition> parse_condition(std::string_view text);

}  // namespace fewshop
