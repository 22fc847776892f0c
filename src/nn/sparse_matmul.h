#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "feature/columns.h"

namespace fewshop::nn {

/// Feature vectors of entities in CSR form: row r has values[j] at inputs[j] for j in [offsets[r], offsets[r + 1]).
/// Bags are averaged (every entry of a bag of n has value 1/n), dense numbers stand at one input each.
struct SparseRows {
  int64_t inputs = 0;
  std::vector<int64_t> offsets{0};
  std::vector<int32_t> index;
  std::vector<float> value;

  int64_t rows() const { return static_cast<int64_t>(offsets.size()) - 1; }
};

/// All columns of a table side by side: inputs of column c begin at first_input[c].
SparseRows sparse_rows(const Columns& columns);

/// Y = F[rows] W, differentiable in W (once).
///   rows [n] row numbers of F; weight [inputs, d]  ->  [n, d]
/// Entries of F whose input is at or beyond `weight.size(0)` must not exist. F must outlive the graph.
at::Tensor sparse_matmul(const SparseRows& features, std::span<const int32_t> rows, const at::Tensor& weight);

}  // namespace fewshop::nn
