#include "scenario/condition.h"

#include <charconv>
#include <utility>

namespace fewshop {
namespace {

using Operator = Condition::Operator;

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

std::optional<double> to_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

template <class T>
bool compare(Operator op, const T& left, const T& right) {
  switch (op) {
    case Operator::kGreaterEqual:
      return left >= right;
    case Operator::kGreater:
      return left > right;
    case Operator::kLessEqual:
      return left <= right;
    case Operator::kLess:
      return left < right;
    case Operator::kEqual:
      return left == right;
    case Operator::kNotEqual:
      return left != right;
  }
  return false;
}

}  // namespace

bool Condition::holds(double value) const { return numeric && compare(op, value, number); }

bool Condition::holds(std::string_view value) const {
  if (!numeric) return compare(op, value, std::string_view(text));
  const auto parsed = to_number(trimmed(value));
  return parsed && compare(op, *parsed, number);
}

std::optional<Condition> parse_condition(std::string_view text) {
  static constexpr std::pair<std::string_view, Operator> kOperators[] = {
      {">=", Operator::kGreaterEqual}, {"<=", Operator::kLessEqual}, {"==", Operator::kEqual},
      {"!=", Operator::kNotEqual},     {">", Operator::kGreater},    {"<", Operator::kLess},
      {"=", Operator::kEqual}};
  text = trimmed(text);
  for (const auto& [symbol, op] : kOperators) {
    if (!text.starts_with(symbol)) continue;
    const std::string_view right = trimmed(text.substr(symbol.size()));
    if (right.empty()) return std::nullopt;
    Condition condition{op, 0, std::string(right), false};
    if (const auto number = to_number(right)) {
      condition.number = *number;
      condition.numeric = true;
    }
    if (!condition.numeric && op != Operator::kEqual && op != Operator::kNotEqual) return std::nullopt;
    return condition;
  }
  return std::nullopt;
}

}  // namespace fewshop
