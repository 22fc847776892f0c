#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "learner/episodic_model.h"

namespace fewshop::testing {

/// Sizes of a random batch of tasks whose rows are `inputs` numbers. Tasks have 0 to `support` rows, the longest all of
/// them; what is behind them is padding full of arbitrary values.
struct BatchSizes {
  int64_t tasks = 4, support = 5, query = 3, inputs = 3;
};

/// A learner's problem and random tasks of it in double: weights, offsets and descriptions of all kinds.
struct RowBatches {
  learning::EpisodicProblem problem;
  std::shared_ptr<const nn::InputTable> descriptions;
  std::vector<std::shared_ptr<const void>> storage;

  RowBatches(Family family, int64_t classes, int64_t inputs);
  learning::Batch batch(const BatchSizes& sizes, uint64_t seed) const;
};

/// Picks tasks of a batch.
learning::Batch select_tasks(const learning::Batch& batch, const std::vector<int64_t>& tasks);
/// Picks rows of every task.
learning::Rows select_rows(const learning::Rows& rows, const std::vector<int64_t>& which);

/// Moves every parameter by random numbers, so that nothing stands where it began.
void shake(const learning::EpisodicModel& model, double deviation, uint64_t seed);

/// Everything a distribution says, as one tensor.
at::Tensor flat(const learning::Distribution& distribution);

}  // namespace fewshop::testing
