#include "task/target_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include "core/error.h"
#include "scenario/names.h"

namespace fewshop {
namespace {

std::optional<double> number_of(const std::string& text) { return finite_number(Value::of(std::string_view(text))); }

std::string listed(const std::vector<std::string>& labels) {
  constexpr size_t kShown = 5;
  const std::vector<std::string> first(labels.begin(), labels.begin() + std::min(kShown, labels.size()));
  return fmt::format("'{}'{}", fmt::join(first, "', '"), labels.size() > kShown ? ", ..." : "");
}

}  // namespace

std::optional<double> finite_number(const Value& value) {
  double number = value.number();
  if (value.kind == Value::Kind::kText) {
    const auto [end, error] = std::from_chars(value.text.data(), value.text.data() + value.text.size(), number);
    if (error != std::errc() || end != value.text.data() + value.text.size()) return std::nullopt;
  }
  if (value.is_null() || !std::isfinite(number)) return std::nullopt;
  return number;
}

TargetReader::TargetReader(const Scenario& scenario) : s_(scenario) {
  if (!s_.positive.empty()) positive_ = parse_condition(s_.positive);
  for (const auto& label : s_.classes) labels_.add(label);
}

std::optional<float> TargetReader::class_of(const Value& value, RowCounts& counts) {
  buffer_ = value.to_text();
  if (buffer_.empty()) return ++counts.missing_target, std::nullopt;
  if (s_.classes.empty()) return static_cast<float>(labels_.add(buffer_));
  const int32_t known = labels_.find(buffer_);
  if (known < 0) return ++counts.unknown_class, std::nullopt;
  return static_cast<float>(known);
}

float TargetReader::checked(double number, const Value& value, const std::function<std::string()>& place) const {
  const auto refuse = [&](const char* expected) {
    throw InvalidInput(place() + ": expected " + expected + ", got '" + value.to_text().substr(0, 80) + "'");
  };
  if (s_.problem == Problem::kBinary && number != 0 && number != 1)
    refuse("0 or 1 (a binary target; positive = \"== WORD\" or \">= NUMBER\" in [rows] makes other values yes or no)");
  if (s_.problem == Problem::kCount && (number < 0 || number != std::floor(number)))
    refuse("a whole number from 0 (a count; other numbers are problem = \"regression\")");
  if (std::abs(number) > kMaxNumber)
    throw InvalidInput(
        fmt::format("{}: {:g} is too large, expected numbers up to {:g}; leave such rows out or rescale them (sql in "
                    "[rows])",
                    place(), number, kMaxNumber));
  return static_cast<float>(number);
}

std::optional<float> TargetReader::read(const Value& value, RowCounts& counts,
                                        const std::function<std::string()>& place) {
  if (value.is_null()) return ++counts.missing_target, std::nullopt;
  if (has_classes(s_.problem)) return class_of(value, counts);
  if (positive_) {
    const auto number = positive_->numeric ? finite_number(value) : std::nullopt;
    const bool holds = number ? positive_->holds(*number) : positive_->holds(std::string_view(value.to_text()));
    if (s_.problem == Problem::kBinary) return holds ? 1.0F : 0.0F;
    if (!holds) return ++counts.not_positive, std::nullopt;
    return 1.0F;
  }
  const auto number = finite_number(value);
  if (!number && value.kind == Value::Kind::kText) {
    const char* what = s_.problem == Problem::kRanking ? "ranking without positive" : problem_name(s_.problem);
    throw InvalidInput(fmt::format(
        "{}: expected a number, got '{}'; a {} needs a numeric target{}", place(), value.text.substr(0, 80), what,
        s_.problem == Problem::kBinary ? ", or positive = \"== WORD\" in [rows], which says what counts as yes" : ""));
  }
  if (!number) return ++counts.missing_target, std::nullopt;
  if (s_.problem == Problem::kRanking && !(*number > 0)) return ++counts.not_positive, std::nullopt;
  return checked(*number, value, place);
}

std::vector<std::string> TargetReader::take_classes(std::vector<float>& targets, const std::string& source) {
  if (!has_classes(s_.problem)) return {};
  std::vector<std::string> labels = labels_.texts();
  const std::string name = problem_name(s_.problem);
  require(labels.size() >= 2, source, ": column '", s_.target, "' (rows.target) has ", labels.size(),
          " different values; a ", name, " target needs at least two classes");
  require(labels.size() <= kMaxClasses, source, ": column '", s_.target, "' (rows.target) has ", labels.size(),
          " different values, expected at most ", kMaxClasses, " classes; is problem = \"regression\" meant?");
  if (!s_.classes.empty()) return labels;
  const bool numbers =
      std::all_of(labels.begin(), labels.end(), [](const auto& l) { return number_of(l).has_value(); });
  require(numbers || s_.problem != Problem::kOrdinal, source, ": column '", s_.target, "' (rows.target): the classes ",
          listed(labels),
          " are no numbers, so their order is not known; list them in order: classes = [...] in [rows]");
  std::vector<int32_t> order(labels.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
    if (!numbers) return labels[a] < labels[b];
    const double x = *number_of(labels[a]), y = *number_of(labels[b]);
    return x < y || (x == y && labels[a] < labels[b]);
  });
  std::vector<float> position(labels.size());
  std::vector<std::string> sorted;
  for (size_t i = 0; i < order.size(); ++i) {
    position[order[i]] = static_cast<float>(i);
    sorted.push_back(labels[order[i]]);
  }
  for (float& target : targets) target = position[static_cast<size_t>(target)];
  return sorted;
}

}  // namespace fewshop
