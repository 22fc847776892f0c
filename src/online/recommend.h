#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "online/list_rules.h"
#include "online/live_model.h"
#include "table/text_rows.h"

namespace fewshop {

struct ListAnswer {
  std::string served;  // "adapted", a baseline's name, or "mixed"
  int32_t support = 0;
  double adapt_seconds = 0;  // of the time it took
  bool new_items = false;    // some of the items were in no row that training has seen
  std::vector<Answered> items;
};

/// Who is asked for: rows in order of time, and the encoded description of the task.
struct TaskRowsView {
  std::span<const LiveRow> rows;
  std::span<const ColumnView> description;
};

/// The best items for a task under the rules: n items whenever n pass them. The search itself leaves out what may not
/// be shown, so nothing is lost afterwards.
ListAnswer recommend(const LiveModel& model, const TaskRowsView& task, const ListRules& rules, bool explain,
                     Micros now);

/// Several lists of one state of the model, each as recommend() makes it: where the search reads all items, it reads
/// them once for four.
struct ListTask {
  TaskRowsView task;
  ListRules rules;
  bool explain = false;
};
std::vector<ListAnswer> recommend(const LiveModel& model, std::span<const ListTask> tasks, Micros now);

/// Scores of given items (numbers of the ItemTable; unknown ones are answered as such), in their order.
ListAnswer score_items(const LiveModel& model, const TaskRowsView& task, std::span<const int32_t> items, bool explain,
                       Micros now);

/// The same for a task that the request itself states: `support` as the scenario's [rows] are read (task_input.h),
/// items by id; reasons count the rows of `support` in the order given, their items are not numbers of the ItemTable
/// (-1). Throws InvalidInput naming place, row and column for values that do not fit.
ListAnswer score_rows(const LiveModel& model, const TextRows& support, const ColumnValues& description,
                      std::span<const std::string> items, bool explain, Micros now);

/// Items whose learned vectors are most like that of `item` (cosine), under the rules; empty where the model has no
/// vectors or does not know the item.
ListAnswer similar_items(const LiveModel& model, int32_t item, const ListRules& rules);

/// rank_candidates() with likeness as the model has learned it; none where it has no vectors.
std::vector<Answered> rank_candidates(std::vector<Candidate> candidates, const ListRules& rules,
                                      const LiveModel& model);

}  // namespace fewshop
