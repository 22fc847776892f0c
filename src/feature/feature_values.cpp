#include "feature/feature_values.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <numbers>
#include <unordered_set>

#include "core/time.h"
#include "feature/text_words.h"

namespace fewshop {
namespace {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && static_cast<unsigned char>(text.front()) <= ' ') text.remove_prefix(1);
  while (!text.empty() && static_cast<unsigned char>(text.back()) <= ' ') text.remove_suffix(1);
  return text;
}

/// Collects words in order, each once or as often as they come.
class WordList {
 public:
  explicit WordList(bool repeats) : repeats_(repeats) {}
  void add(std::string_view word) {
    std::string valid = valid_utf8(trimmed(word));
    if (!valid.empty() && (repeats_ || seen_.insert(valid).second)) words_.push_back(std::move(valid));
  }
  std::vector<std::string> take() { return std::move(words_); }

 private:
  bool repeats_;
  std::unordered_set<std::string> seen_;
  std::vector<std::string> words_;
};

std::vector<std::string_view> split(std::string_view value, std::string_view separator) {
  std::vector<std::string_view> parts;
  for (size_t at; (at = value.find(separator)) != std::string_view::npos; value.remove_prefix(at + separator.size()))
    parts.push_back(value.substr(0, at));
  parts.push_back(value);
  return parts;
}

std::optional<double> to_number(std::string_view text) {
  text = trimmed(text);
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::vector<double> time_numbers(Micros time) {
  using namespace std::chrono;
  const auto days = floor<std::chrono::days>(sys_time<microseconds>(microseconds(time)));
  const double month = static_cast<double>(static_cast<unsigned>(year_month_day(days).month()) - 1) / 12;
  const double week = weekday(days).c_encoding() / 7.0;
  const double hour = static_cast<double>(time - days.time_since_epoch().count() * kDay) / static_cast<double>(kDay);
  std::vector<double> numbers = {static_cast<double>(time) / static_cast<double>(kDay)};
  for (const double turn : {month, week, hour}) {
    numbers.push_back(std::sin(2 * std::numbers::pi * turn));
    numbers.push_back(std::cos(2 * std::numbers::pi * turn));
  }
  return numbers;
}

}  // namespace

bool is_dense(FeatureType type) {
  return type == FeatureType::kNumber || type == FeatureType::kLogNumber || type == FeatureType::kTime ||
         type == FeatureType::kVector;
}

std::vector<std::string> words_of(const FeatureSpec& spec, std::string_view value) {
  if (spec.type == FeatureType::kText) return text_words(value);
  WordList words(spec.type == FeatureType::kSequence);
  if (spec.type == FeatureType::kCategory)
    words.add(value);
  else
    for (const auto part : split(value, spec.separator)) words.add(part);
  return words.take();
}

std::optional<std::vector<double>> numbers_of(const FeatureSpec& spec, std::string_view value) {
  if (spec.type == FeatureType::kTime) {
    const auto time = parse_time(value);
    if (!time) return std::nullopt;
    return time_numbers(*time);
  }
  if (spec.type == FeatureType::kVector) {
    std::vector<double> numbers;
    for (const auto part : split(value, spec.separator)) {
      // A blank separator may stand several times in a row.
      if (trimmed(part).empty() && trimmed(spec.separator).empty()) continue;
      const auto number = to_number(part);
      if (!number) return std::nullopt;
      numbers.push_back(*number);
    }
    if (numbers.empty()) return std::nullopt;
    return numbers;
  }
  const auto number = to_number(value);
  if (!number) return std::nullopt;
  if (spec.type == FeatureType::kLogNumber) return std::vector{std::copysign(std::log1p(std::abs(*number)), *number)};
  return std::vector{*number};
}

}  // namespace fewshop
