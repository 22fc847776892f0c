#pragma once

#include <ATen/core/Tensor.h>

namespace fewshop::nn {

// Axes: T tasks, S rows of a task, V entries of a vocabulary, d size of an entry's vector.

/// The entries of each row of a column, in CSR form: those of row r are ids[offsets[r]] .. ids[offsets[r + 1] - 1].
/// Undefined tensors: row r has the one entry r.
struct Entries {
  at::Tensor offsets;  // [rows + 1] int64
  at::Tensor ids;      // int32, in [0, V)
};

/// Mean of the vectors of a row's entries; 0 where it has none.
///
///   table [V, d], or one per task [T, V, d]; row [T, S] int64 in [-1, rows), -1 = no entry  ->  [T, S, d]
///
/// Works on the entries alone, never on dense [rows, V]. Differentiable in the table as often as wanted: the map is
/// linear, and its backward is the same sums transposed.
at::Tensor entry_means(const at::Tensor& table, const Entries& entries, const at::Tensor& row);

}  // namespace fewshop::nn
