#include "table/field_value.h"

#include <time.h>

#include <charconv>
#include <chrono>
#include <cmath>
#include <optional>

#include "core/error.h"
#include "core/time.h"

namespace fewshop {
namespace {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

/// from_chars takes no plus sign, which files do hold.
std::string_view without_plus(std::string_view text) {
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  return text;
}

bool parse_integer(std::string_view text, int64_t& number) {
  text = without_plus(trimmed(text));
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

bool parse_real(std::string_view text, double& number) {
  text = without_plus(trimmed(text));
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && std::isfinite(number);
}

bool equals_ignoring_case(std::string_view text, std::string_view lower) {
  if (text.size() != lower.size()) return false;
  for (size_t i = 0; i < text.size(); ++i)
    if ((text[i] | 0x20) != lower[i]) return false;
  return true;
}

std::optional<bool> parse_word(std::string_view text) {
  for (const char* yes : {"true", "yes", "t", "y"})
    if (equals_ignoring_case(text, yes)) return true;
  for (const char* no : {"false", "no", "f", "n"})
    if (equals_ignoring_case(text, no)) return false;
  return std::nullopt;
}

std::optional<Micros> parse_formatted_time(std::string_view text, const std::string& format) {
  const std::string copy(trimmed(text));
  struct tm parts = {};
  parts.tm_mday = 1;
  const char* end = strptime(copy.c_str(), format.c_str(), &parts);
  if (!end || *end) return std::nullopt;
  using namespace std::chrono;
  // strptime takes the 30th of February.
  const year_month_day date{year(parts.tm_year + 1900), month(parts.tm_mon + 1), day(parts.tm_mday)};
  if (!date.ok() || parts.tm_sec > 59) return std::nullopt;
  const Micros seconds = (parts.tm_hour * 60 + parts.tm_min) * 60 + parts.tm_sec - parts.tm_gmtoff;
  return sys_days(date).time_since_epoch().count() * kDay + seconds * kSecond;
}

bool ends_with(std::string_view text, std::string_view end) { return text.ends_with(end); }

bool looks_like_date(std::string_view text) { return text.size() >= 8 && (text[4] == '-' || text[4] == '/'); }

}  // namespace

FieldType FieldType::parse(std::string_view text, const std::string& place) {
  const size_t colon = text.find(':');
  const auto type = type_from_name(text.substr(0, colon));
  const bool plain = colon == std::string_view::npos;
  require(type && (plain || (*type == ColumnType::kTime && colon + 1 < text.size())), place,
          ": expected integer, real, text, boolean, time or time:FORMAT (such as time:%d/%m/%Y), got '", text, "'");
  return {*type, plain ? "" : std::string(text.substr(colon + 1))};
}

bool parse_field(std::string_view text, const FieldType& type, Value& value) {
  value = Value::null();
  if (text.empty()) return true;
  switch (type.type) {
    case ColumnType::kText:
      value = Value::of(text);
      return true;
    case ColumnType::kInteger:
      value.kind = Value::Kind::kInteger;
      return parse_integer(text, value.integer);
    case ColumnType::kReal:
      value.kind = Value::Kind::kReal;
      return parse_real(text, value.real);
    case ColumnType::kBoolean: {
      text = trimmed(text);
      const auto word = text == "1" ? true : text == "0" ? false : parse_word(text);
      if (word) value = Value::of(int64_t{*word});
      return word.has_value();
    }
    case ColumnType::kTime: {
      const auto time = type.time_format.empty() ? parse_time(text) : parse_formatted_time(text, type.time_format);
      if (time) value = Value::of(*time);
      return time.has_value();
    }
  }
  return false;
}

TypeGuess::TypeGuess(std::string_view column) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  std::string name(column);
  for (char& c : name) c = lower(c);
  // "userId" and "CustomerID" are ids, "paid" is not.
  is_id_ = name == "id" || ends_with(name, "_id") ||
           (column.size() > 2 && (ends_with(column, "Id") || ends_with(column, "ID")));
  is_time_ = name == "time" || name == "date" || name == "datetime" || ends_with(name, "timestamp") ||
             ends_with(name, "_time") || ends_with(name, "_at");
}

void TypeGuess::add(std::string_view text) {
  if (text.empty()) return;
  ++values_;
  if (is_id_) return;
  if (looks_like_date(text)) {
    dates_ += parse_time(text).has_value();
    return;
  }
  int64_t integer = 0;
  double real = 0;
  if (parse_integer(text, integer)) {
    const std::string_view digits = without_plus(trimmed(text));
    const size_t first = digits[0] == '-' ? 1 : 0;
    leading_zero_ = leading_zero_ || (digits.size() > first + 1 && digits[first] == '0');
    ++integers_;
    ++reals_;
    // Seconds since 1973, or milliseconds or microseconds.
    epochs_ += integer >= 100'000'000 && parse_time(text).has_value();
  } else if (parse_real(text, real)) {
    ++reals_;
    epochs_ += real >= 1e8 && parse_time(text).has_value();
  } else if (parse_word(text) && text.size() > 1) {
    ++booleans_;
  }
}

ColumnType TypeGuess::type() const {
  const auto holds = [&](int64_t fit) { return values_ > 0 && fit * 100 >= values_ * 99; };
  if (is_id_ || leading_zero_) return ColumnType::kText;
  if (is_time_ && holds(epochs_)) return ColumnType::kTime;
  if (holds(booleans_)) return ColumnType::kBoolean;
  if (holds(integers_)) return ColumnType::kInteger;
  if (holds(reals_)) return ColumnType::kReal;
  if (holds(dates_)) return ColumnType::kTime;
  return ColumnType::kText;
}

}  // namespace fewshop
