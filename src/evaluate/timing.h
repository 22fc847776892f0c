#pragma once

#include <functional>
#include <span>
#include <vector>

#include "evaluate/outcome.h"
#include "runtime/model.h"

namespace fewshop {

/// Tasks of a report that are kept to be timed: its first ones.
inline constexpr size_t kTimedTasks = 2000;

/// One task to be timed, ready in memory.
struct TimedTask {
  std::vector<SupportRow> support;
  std::vector<ColumnView> description;
  std::vector<int32_t> query;  // items of the model, at least one
};

/// Median and 99th percentile over tasks of the time to adapt to one for a served answer, and the median of one
/// prediction (the served score of one item, out of a task's query): one thread, after a warm-up, at least 1,000
/// adaptations. A task's time is the median of at least five in a row. Without tasks all are 0.
Timing measure_timing(const Model& model, std::span<const TimedTask> tasks);

/// The same for anything that adapts to task number i and then predicts its query, whose rows are returned.
Timing measure_timing(size_t tasks, const std::function<void(size_t)>& adapt,
                      const std::function<size_t(size_t)>& predict);

/// Median time of adapting to task number i: one thread, after a warm-up, until 1,000 tasks or two seconds are over. 0
/// without tasks.
double median_adapt_us(size_t tasks, const std::function<void(size_t)>& adapt);

}  // namespace fewshop
