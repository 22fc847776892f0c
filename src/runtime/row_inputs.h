#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "feature/columns.h"
#include "runtime/content_map.h"
#include "runtime/row_member.h"

namespace fewshop {

class TensorFile;

/// A row as a sparse vector of P flat inputs: its non-zero entries by rising index.
struct SparseRow {
  std::vector<int32_t> index;
  std::vector<float> value;

  void clear() {
    index.clear();
    value.clear();
  }
  size_t size() const { return index.size(); }
};

/// Inner product of two sparse rows.
double dot(const SparseRow& a, const SparseRow& b);

/// How encoded columns lie in one flat vector: the columns of the row and its item (dense columns their numbers, id
/// columns one input for each vocabulary entry, divided by the root of how many are set), then one input for each item
/// that training has seen, then the columns of the task description.
class RowInputs {
 public:
  RowInputs() = default;
  RowInputs(std::vector<ContentMap::Input> row, int32_t items, std::vector<ContentMap::Input> description);

  /// P
  int64_t size() const { return size_; }
  /// Inputs that tell rows of one task apart: all but the description.
  int64_t own_size() const { return own_size_; }

  /// The row's own inputs; `description` is appended where it is not empty.
  void flatten(const RowInput& row, std::span<const ColumnView> description, SparseRow& out) const;

  void save(TensorFile& file) const;
  /// Throws InvalidInput where sizes are negative or too large.
  static RowInputs load(const TensorFile& file);

 private:
  std::vector<ContentMap::Input> row_, description_;
  int32_t items_ = 0;
  int64_t own_size_ = 0, size_ = 0;
};

}  // namespace fewshop
