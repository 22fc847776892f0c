#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/random.h"
#include "core/time.h"
#include "feature/columns.h"
#include "scenario/scenario.h"

namespace fewshop {

/// The time of a row that has none, in a scenario that has a time column and does not need it (order = "random").
inline constexpr Micros kNoTime = std::numeric_limits<Micros>::min();

/// All rows of a scenario in memory, structure of arrays, R rows. Rows of one task stand together, in episode order
/// (by time, ties by group; or in the random order drawn by split.seed; with `role` support before query), so that
/// support and query are mostly ranges.
struct Dataset {
  // Rows, each [R].
  std::vector<int32_t> task;    // index into task_ids
  std::vector<int32_t> item;    // index into item_ids; -1 where the scenario names no item
  std::vector<float> target;    // rating, regression, count: the value; ranking: 1, or the row's weight of evidence;
                                //   binary: 0 or 1; multiclass, ordinal: index into classes
  std::vector<float> weight;    // importance, 1 by default
  std::vector<Micros> time;     // 0 where the scenario has no time; kNoTime for a row without one
  std::vector<uint8_t> kind;    // index into kinds
  std::vector<int32_t> group;   // ordinal of the group (ties) within the task, 0-based, ascending within the task
  std::vector<int8_t> role;     // 0 none, 1 support, 2 query; empty where the scenario has no role
  std::vector<int64_t> source;  // position of the row in the result of [rows], for exports

  std::vector<int64_t> task_begin;      // [tasks + 1]: rows of task t are [task_begin[t], task_begin[t + 1])
  std::vector<std::string> task_ids;    // [tasks] the task value as text; several columns: task_id.h
  std::vector<std::string> task_split;  // [tasks] value of the split column, empty without one
  std::vector<std::string> item_ids;    // [items]
  std::vector<std::string> classes;     // multiclass, ordinal: labels (ordinal: in order)
  std::vector<std::string> kinds;       // event kinds; one empty string where the scenario has no event column

  Columns item_features;  // [items]
  Columns task_features;  // [tasks]
  Columns row_features;   // [R] problems that ask about rows (is_row_problem); else empty

  int64_t rows() const { return static_cast<int64_t>(item.size()); }
  int64_t tasks() const { return static_cast<int64_t>(task_ids.size()); }
  int64_t items() const { return static_cast<int64_t>(item_ids.size()); }
};

/// Rows of one task that may be used, in episode order (a subset of the task's rows where a time cut or
/// unseen_items = "drop" takes some away).
struct TaskRows {
  int32_t task = 0;
  std::vector<int32_t> rows;
  int32_t query_from = 0;  // rows before this position are support only (a time cut beside another split)
};

using TaskSet = std::vector<TaskRows>;

/// One draw of a task: row numbers of support and query, both in episode order.
struct Episode {
  int32_t task = 0;
  std::vector<int32_t> support, query;
};

/// Test tasks of one reported split ("test", or a value of the split column).
struct TestCell {
  std::string name;
  TaskSet tasks;  // only tasks that rows = [min, max] admits
};

/// Which task is used for what. Splits are over tasks; a time cut also ends the rows.
struct Partition {
  TaskSet train;       // meta-training: fits that choose something; rows end at split.time.valid
  TaskSet valid;       // meta-validation tasks that rows = [min, max] admits; rows end at split.time.test
  TaskSet train_last;  // the training tasks for the last fit: as train, but rows end at split.time.test
  TaskSet valid_last;  // the validation tasks for the last fit when members are cross-fitted (all of them)
  std::vector<TestCell> test;
  std::vector<std::string> notes;  // counted removals, for validate
};

/// The episode of a task at support size `shot`; nullopt where the task has too few groups for it.
/// support = the first k groups; query as the scenario says (the last `query` groups, the rest, the next group).
/// With seen = "exclude" in a ranking problem, query rows whose item is in the support are left out; a task whose
/// query would be empty has no episode.
std::optional<Episode> episode_at(const Dataset& data, const Scenario& scenario, const TaskRows& task,
                                  const Shot& shot);

/// The headline episode: all rows that are not query as support, at most the latest `support_max` groups of them
/// (with query = "rest": the first support_max groups, the query is what follows).
std::optional<Episode> headline_episode(const Dataset& data, const Scenario& scenario, const TaskRows& task);

/// A random training episode: a support size drawn from [support_min, support_max] and what the task allows,
/// then support and query drawn in keeping with the scenario's order, with at most `max_query` query rows.
std::optional<Episode> draw_episode(const Dataset& data, const Scenario& scenario, const TaskRows& task, int max_query,
                                    Random& random);

/// How many rows of `tasks` each item has: [items]. What "seen in training" means; empty without items.
std::vector<int32_t> item_counts(const Dataset& data, const TaskSet& tasks);

}  // namespace fewshop
