#include "task/arrange_support.h"

#include <algorithm>
#include <unordered_map>

#include "task/support_rows.h"

namespace fewshop {
namespace {

/// Numbers groups in order of their first row and brings the rows of one group together.
void number_groups(std::vector<ArrivedRow>& rows, const EpisodeSpec& episode) {
  if (episode.ties.empty()) {
    for (size_t i = 0; i < rows.size(); ++i) rows[i].row.group = static_cast<int32_t>(i);
    return;
  }
  if (episode.ties == "time") {  // already side by side
    int32_t group = 0;
    for (size_t i = 0; i < rows.size(); ++i) {
      group += i > 0 && rows[i].time != rows[i - 1].time;
      rows[i].row.group = group;
    }
    return;
  }
  std::unordered_map<uint64_t, int32_t> groups;
  for (ArrivedRow& row : rows)
    row.row.group = groups.emplace(row.tie, static_cast<int32_t>(groups.size())).first->second;
  std::stable_sort(rows.begin(), rows.end(),
                   [](const ArrivedRow& a, const ArrivedRow& b) { return a.row.group < b.row.group; });
}

void keep_latest(std::vector<ArrivedRow>& rows, int limit) {
  if (rows.empty()) return;
  const int32_t first = rows.back().row.group + 1 - limit;
  std::erase_if(rows, [&](const ArrivedRow& row) { return row.row.group < first; });
  const int32_t shift = rows.empty() ? 0 : rows.front().row.group;
  for (ArrivedRow& row : rows) row.row.group -= shift;
}

}  // namespace

void arrange_support(std::vector<ArrivedRow>& rows, const EpisodeSpec& episode, std::optional<Micros> at) {
  if (episode.by_time || episode.ties == "time")
    std::stable_sort(rows.begin(), rows.end(),
                     [](const ArrivedRow& a, const ArrivedRow& b) { return a.time < b.time; });
  number_groups(rows, episode);
  keep_latest(rows, episode.support_max);
  if (!at)
    for (const ArrivedRow& row : rows)
      if (row.time != kNoTime) at = std::max(at.value_or(row.time), row.time);
  for (ArrivedRow& row : rows) row.row.age = at ? static_cast<float>(age_seconds(*at, row.time)) : 0;
}

}  // namespace fewshop
