#include "task/support_rows.h"

#include <algorithm>

namespace fewshop {

std::vector<SupportRow> support_rows(const Dataset& data, std::span<const int32_t> rows, Micros at,
                                     std::span<const int32_t> item_of) {
  std::vector<SupportRow> support;
  support.reserve(rows.size());
  for (const int32_t r : rows) {
    const int32_t item = data.item[r];
    SupportRow row;
    row.item = item_of.empty() || item < 0 ? item : item_of[item];
    row.target = data.target[r];
    row.weight = data.weight[r];
    row.age = static_cast<float>(age_seconds(at, data.time[r]));
    row.group = data.group[r];
    row.kind = data.kind[r];
    support.push_back(row);
  }
  return support;
}

double age_seconds(Micros at, Micros time) {
  if (at == kNoTime || time == kNoTime || at <= time) return 0;
  return static_cast<double>(at - time) / static_cast<double>(kSecond);
}

Micros episode_time(const Dataset& data, std::span<const int32_t> support, std::span<const int32_t> query) {
  Micros earliest = kNoTime, latest = kNoTime;
  for (const int32_t r : query)
    if (data.time[r] != kNoTime && (earliest == kNoTime || data.time[r] < earliest)) earliest = data.time[r];
  if (earliest != kNoTime) return earliest;
  for (const int32_t r : support) latest = std::max(latest, data.time[r]);
  return latest;
}

}  // namespace fewshop
