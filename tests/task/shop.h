#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "scenario/read.h"
#include "task/order_rows.h"
#include "task/partition.h"

namespace fewshop::testing {

/// One row of a made-up shop; what a scenario does not name is not looked at.
struct Row {
  std::string task, item;
  float target = 1;
  Micros time = 0;
  std::string ties{}, split{};
  int role = 0;
};

/// A scenario over columns task, item, target, time, ties, split and role, with lines of its own.
inline Scenario shop_scenario(const std::string& lines, bool time = true, const std::string& problem = "rating") {
  const std::string rows = "problem = '" + problem + "'\n[rows]\ntable = 'rows'\ntask = 'task'\nitem = 'item'\n" +
                           (problem == "rating" ? "target = 'target'\n" : "") + (time ? "time = 'time'\n" : "");
  return parse_scenario(rows + lines, "shop.toml");
}

/// The rows as they come out of a table.
inline RawRows raw_rows(const std::vector<Row>& rows, const Scenario& s) {
  RawRows raw;
  raw.kinds.add("");
  for (size_t r = 0; r < rows.size(); ++r) {
    const Row& row = rows[r];
    const int32_t split = raw.splits.add(s.split.column.empty() ? "" : row.split);
    const int32_t value = raw.values.add(row.task);
    const auto same = [&](const RawRows::TaskKey& key) { return key.split == split && key.value == value; };
    const auto found = std::find_if(raw.tasks.begin(), raw.tasks.end(), same);
    raw.task.push_back(static_cast<int32_t>(found - raw.tasks.begin()));
    if (found == raw.tasks.end()) raw.tasks.push_back({split, value});
    raw.item.push_back(raw.items.add(row.item));
    raw.target.push_back(row.target);
    raw.weight.push_back(1);
    raw.time.push_back(row.time);
    raw.kind.push_back(0);
    if (!s.episode.ties.empty() && s.episode.ties != "time") raw.tie.push_back(raw.ties.add(row.ties));
    if (!s.episode.role.empty()) raw.role.push_back(static_cast<int8_t>(row.role));
    raw.source.push_back(static_cast<int64_t>(r));
  }
  return raw;
}

inline Dataset dataset(const std::vector<Row>& rows, const Scenario& s) { return order_rows(raw_rows(rows, s), s); }

/// All rows of task `t`.
inline TaskRows whole_task(const Dataset& data, int32_t t = 0) {
  TaskRows task{t, {}};
  for (auto r = data.task_begin[t]; r < data.task_begin[t + 1]; ++r) task.rows.push_back(static_cast<int32_t>(r));
  return task;
}

/// One task "u" with `count` rows of items i0, i1, ... at times 1, 2, ...
inline std::vector<Row> one_task(int count) {
  std::vector<Row> rows;
  for (int i = 0; i < count; ++i) rows.push_back({"u", "i" + std::to_string(i), static_cast<float>(i), i + 1});
  return rows;
}

/// `tasks` tasks of `count` rows each.
inline std::vector<Row> many_tasks(int tasks, int count) {
  std::vector<Row> rows;
  for (int t = 0; t < tasks; ++t)
    for (int i = 0; i < count; ++i)
      rows.push_back(
          {"u" + std::to_string(t), "i" + std::to_string((t + i) % 17), static_cast<float>(i % 5), 100 * t + i + 1});
  return rows;
}

}  // namespace fewshop::testing
