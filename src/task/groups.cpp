#include "task/groups.h"

#include <algorithm>

namespace fewshop {

Groups groups_of(const Dataset& data, const TaskRows& task) {
  Groups groups;
  const auto& rows = task.rows;
  const bool roles = !data.role.empty();
  int32_t first_allowed = -1, first_query = -1, last_query = -1;
  for (int32_t i = 0; i < rows.size(); ++i) {
    if (i > 0 && data.group[rows[i]] == data.group[rows[i - 1]]) continue;
    const auto index = static_cast<int32_t>(groups.begin.size());
    groups.begin.push_back(i);
    if (i >= task.query_from && first_allowed < 0) first_allowed = index;
    if (roles && data.role[rows[i]] == 2) {
      if (first_query < 0) first_query = index;
      last_query = index;
    }
  }
  groups.begin.push_back(static_cast<int32_t>(rows.size()));
  groups.fixed = first_query >= 0;
  groups.query_begin = std::max(groups.fixed ? first_query : 0, first_allowed < 0 ? groups.count() : first_allowed);
  groups.query_end = groups.fixed ? last_query + 1 : groups.count();
  return groups;
}

int32_t group_count(const Dataset& data, const TaskRows& task) {
  int32_t count = 0;
  for (size_t i = 0; i < task.rows.size(); ++i)
    count += i == 0 || data.group[task.rows[i]] != data.group[task.rows[i - 1]];
  return count;
}

int32_t first_query_row(const Dataset& data, const TaskRows& task, Micros cut) {
  const bool fixed = !data.role.empty() &&
                     std::any_of(task.rows.begin(), task.rows.end(), [&](int32_t r) { return data.role[r] == 2; });
  for (size_t i = 0; i < task.rows.size(); ++i) {
    const int32_t row = task.rows[i];
    const bool starts = i == 0 || data.group[row] != data.group[task.rows[i - 1]];
    if (starts && data.time[row] >= cut && (!fixed || data.role[row] == 2)) return static_cast<int32_t>(i);
  }
  return static_cast<int32_t>(task.rows.size());
}

}  // namespace fewshop
