#include "task/row_episode.h"

#include "task/support_rows.h"

namespace fewshop {

RowInput row_input(const Dataset& data, int32_t row, std::span<const int32_t> item_of, std::vector<ColumnView>& views) {
  views.clear();
  for (const auto& column : data.row_features.columns) views.push_back(column.row(row));
  const int32_t item = data.item[row];
  if (item >= 0)
    for (const auto& column : data.item_features.columns) views.push_back(column.row(item));
  return {views, item >= 0 && !item_of.empty() ? item_of[item] : item};
}

RowEpisode row_episode(const Dataset& data, const Episode& episode, std::span<const int32_t> item_of,
                       std::span<const int> kind_of) {
  RowEpisode out;
  const Micros at = episode_time(data, episode.support, episode.query);
  out.views.resize(episode.support.size() + episode.query.size());
  size_t next = 0;
  for (const int32_t r : episode.support) {
    const int kind = kind_of.empty() ? data.kind[r] : kind_of[data.kind[r]];
    if (kind < 0) continue;
    out.support.push_back({row_input(data, r, item_of, out.views[next++]), data.target[r], data.weight[r],
                           static_cast<float>(age_seconds(at, data.time[r])), data.group[r],
                           static_cast<uint8_t>(kind)});
  }
  for (const int32_t r : episode.query) out.query.push_back(row_input(data, r, item_of, out.views[next++]));
  out.description = data.task_features.row(episode.task);
  return out;
}

}  // namespace fewshop
