#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fewshop {

/// Microseconds since 1970-01-01 UTC.
using Micros = int64_t;

inline constexpr Micros kSecond = 1'000'000;
inline constexpr Micros kDay = 86'400 * kSecond;

/// The system's clock.
Micros system_time();

/// Reads "2011-12-09", "2011/12/09", "2011-12-09 12:50", "2011-12-09T12:50:00.123Z", "2011-12-09 12:50:00 UTC",
/// "+02:00" offsets, and epoch numbers in s, ms or us (told apart by size). Nothing for anything else, dates that do
/// not exist included. Years 0 to 9999.
std::optional<Micros> parse_time(std::string_view text);

/// "2011-12-09T12:50:00Z", with fractions only where there are some.
std::string format_time(Micros time);

}  // namespace fewshop
