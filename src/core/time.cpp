#include "core/time.h"

#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <cmath>

namespace fewshop {
namespace {

/// Takes exactly `digits` decimal digits off the front of `text`.
bool take_number(std::string_view& text, int digits, int& value) {
  if (text.size() < static_cast<size_t>(digits)) return false;
  value = 0;
  for (int i = 0; i < digits; ++i) {
    if (text[i] < '0' || text[i] > '9') return false;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(digits);
  return true;
}

bool take_char(std::string_view& text, char c) {
  if (text.empty() || text[0] != c) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<Micros> parse_epoch(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || !(number >= 0)) return std::nullopt;
  // Seconds reach 1e11 in the year 5138, milliseconds 1e14; what is larger is microseconds.
  if (number < 1e11) return std::llround(number * 1e6);
  if (number < 1e14) return std::llround(number * 1e3);
  if (number < 1e17) return static_cast<Micros>(number);
  return std::nullopt;
}

/// Takes "", "Z", " UTC", "+02:00" or "-0530", and nothing after it; the offset is in minutes.
bool take_zone(std::string_view& text, int& offset) {
  offset = 0;
  if (text.empty()) return true;
  take_char(text, ' ');
  if (text == "Z" || text == "z" || text == "UTC" || text == "GMT") return true;
  if (text.empty()) return false;
  const int sign = text[0] == '-' ? -1 : 1;
  if (!take_char(text, '+') && !take_char(text, '-')) return false;
  int hours = 0, minutes = 0;
  if (!take_number(text, 2, hours)) return false;
  if ((take_char(text, ':') || !text.empty()) && !take_number(text, 2, minutes)) return false;
  offset = sign * (hours * 60 + minutes);
  return text.empty() && hours <= 18 && minutes < 60;
}

}  // namespace

std::optional<Micros> parse_time(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  if (text.size() < 5 || (text[4] != '-' && text[4] != '/')) return parse_epoch(text);
  const char separator = text[4];
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, offset = 0;
  if (!take_number(text, 4, year) || !take_char(text, separator) || !take_number(text, 2, month) ||
      !take_char(text, separator) || !take_number(text, 2, day))
    return std::nullopt;
  Micros fraction = 0;
  if (!text.empty()) {
    if (!take_char(text, 'T') && !take_char(text, ' ')) return std::nullopt;
    if (!take_number(text, 2, hour) || !take_char(text, ':') || !take_number(text, 2, minute)) return std::nullopt;
    const bool seconds = take_char(text, ':');
    if (seconds && !take_number(text, 2, second)) return std::nullopt;
    if (seconds && take_char(text, '.')) {
      Micros unit = kSecond / 10;
      if (text.empty() || text[0] < '0' || text[0] > '9') return std::nullopt;
      for (; !text.empty() && text[0] >= '0' && text[0] <= '9'; text.remove_prefix(1), unit /= 10)
        fraction += (text[0] - '0') * unit;
    }
    if (!take_zone(text, offset)) return std::nullopt;
  }
  using namespace std::chrono;
  const year_month_day date{std::chrono::year{year}, std::chrono::month(month), std::chrono::day(day)};
  if (!date.ok() || hour > 23 || minute > 59 || second > 59) return std::nullopt;
  const Micros days = sys_days(date).time_since_epoch().count();
  const Micros time = days * kDay + ((hour * 60 + minute - offset) * 60 + second) * kSecond + fraction;
  // An offset must not lead out of the years that can be written with four digits.
  constexpr Micros kFirst =
      sys_days(year_month_day{std::chrono::year{0}, January, std::chrono::day{1}}).time_since_epoch().count() * kDay;
  constexpr Micros kEnd =
      sys_days(year_month_day{std::chrono::year{10000}, January, std::chrono::day{1}}).time_since_epoch().count() *
      kDay;
  if (time < kFirst || time >= kEnd) return std::nullopt;
  return time;
}

std::string format_time(Micros time) {
  using namespace std::chrono;
  const auto days = floor<std::chrono::days>(sys_time<microseconds>(microseconds(time)));
  const year_month_day date(days);
  Micros rest = time - days.time_since_epoch().count() * kDay;
  const Micros fraction = rest % kSecond;
  rest /= kSecond;
  std::string text = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", static_cast<int>(date.year()),
                                 static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), rest / 3600,
                                 rest / 60 % 60, rest % 60);
  if (fraction) {
    text += fmt::format(".{:06}", fraction);
    while (text.back() == '0') text.pop_back();
  }
  return text + "Z";
}

Micros system_time() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(since).count();
}

}  // namespace fewshop
