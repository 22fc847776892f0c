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
    row.age = static_cast<float>(std::max<Micros>(0, at - data.time[r])) / static_cast<float>(kSecond);
    row.group = data.group[r];
    row.kind = data.kind[r];
    support.push_back(row);
  }
  return support;
}

Micros episode_time(const Dataset& data, std::span<const int32_t> support, std::span<const int32_t> query) {
  if (!query.empty()) {
    Micros earliest = data.time[query[0]];
    for (const int32_t r : query) earliest = std::min(earliest, data.time[r]);
    return earliest;
  }
  Micros latest = 0;
  for (const int32_t r : support) latest = std::max(latest, data.time[r]);
  return latest;
}

}  // namespace fewshop
