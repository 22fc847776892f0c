#pragma once

#include <cstdint>
#include <vector>

#include "learner/row_fit.h"
#include "runtime/row_inputs.h"

namespace fewshop {

/// Training rows as one sparse matrix with targets: R rows, P inputs, in the order of tasks and their rows.
struct RowMatrix {
  RowInputs inputs;
  std::vector<int64_t> begin;         // [R + 1]
  std::vector<int32_t> column;        // [entries] rising within a row
  std::vector<float> value;           // [entries]
  std::vector<float> target, weight;  // [R]
  std::vector<int32_t> row;           // [R] row of the dataset
  std::vector<int32_t> task;          // [R] number of the task, counted over all tasks with rows

  int64_t rows() const { return static_cast<int64_t>(target.size()); }
};

/// Rows of weight 0 are left out. `items`: items have inputs of their own.
RowMatrix row_matrix(const RowFitInput& input, bool items = true);

/// The family of a row problem's linear predictor: counts begin as poisson.
Family family_of(Problem problem);

}  // namespace fewshop
