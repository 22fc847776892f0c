#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "online/item_set.h"
#include "online/live_model.h"
#include "table/text_rows.h"

namespace fewshop {

/// At most `most` items of one value of an item column (a brand, a category); [shop items] numbers of the values, -1 =
/// has none and is not limited.
struct Cap {
  std::shared_ptr<const std::vector<int32_t>> value_of;
  int most = 1;
};

/// Items of a set are ranked as if their score were larger (or smaller) by `by` standard deviations of all scores.
struct Boost {
  std::shared_ptr<const ItemSet> items;
  double by = 0;
};

/// An item at a fixed place of the list, 0 = first.
struct Pin {
  int32_t item = -1;
  int place = 0;
};

/// What a list has to satisfy. Items are numbers of the ItemTable.
struct ListRules {
  int n = 10, offset = 0;
  std::shared_ptr<const ItemSet> filter;  // only these; null = all
  std::vector<int32_t> exclude;
  bool include_seen = false;  // also what the scenario leaves out because it is in the support
  std::vector<Cap> caps;
  double diversity = 0;  // 0 = by score alone, 1 = as unlike each other as can be (maximal marginal relevance)
  std::vector<Boost> boosts;
  std::vector<Pin> pins;
};

/// A support row's part of a score; `row` is its position in the rows that were given.
struct Contribution {
  int32_t row = 0;
  int32_t item = -1;
  double value = 0;
};

/// An answer's item: score = prior + sum of the contributions; boosts and diversity are in its place, not in its score.
struct Answered {
  int32_t item = -1;        // of the ItemTable
  int32_t model_item = -1;  // of the model; -1 = unknown to it
  double score = 0, low = 0, high = 0, prior = 0;
  double boost = 0;  // what boosts added to the score when the list was made
  bool pinned = false;
  std::vector<Contribution> reasons;  // largest first; all support rows where `explain`, else none
};

struct ListAnswer {
  std::string served;  // "adapted", a baseline's name, or "mixed"
  int32_t support = 0;
  double adapt_seconds = 0;  // of the time it took
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

}  // namespace fewshop
