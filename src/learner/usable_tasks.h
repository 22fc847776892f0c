#pragma once

#include "learner/baseline/baseline.h"

namespace fewshop {

/// The tasks of a fit without the rows of hidden items; tasks with fewer than two rows left are of no use to learners
/// with episodes and are left out.
inline TaskSet usable_tasks(const FitInput& input) {
  TaskSet tasks;
  for (const auto& task : input.tasks) {
    TaskRows usable{task.task, {}, 0};
    for (const int32_t r : task.rows)
      if (!input.is_hidden(input.data.item[r])) usable.rows.push_back(r);
    if (usable.rows.size() >= 2) tasks.push_back(std::move(usable));
  }
  return tasks;
}

}  // namespace fewshop
