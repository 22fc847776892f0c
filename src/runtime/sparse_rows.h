#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace fewshop {

/// A sparse matrix by rows; columns ascend within a row.
struct SparseRows {
  std::vector<int64_t> offsets{0};  // [rows + 1]
  std::vector<int32_t> column;      // [entries]
  std::vector<float> value;         // [entries]

  int64_t rows() const { return static_cast<int64_t>(offsets.size()) - 1; }

  /// The entry (row, column), 0 where there is none. `r` must be a row.
  float at(int64_t r, int32_t c) const {
    const auto begin = column.begin() + offsets[r], end = column.begin() + offsets[r + 1];
    const auto found = std::lower_bound(begin, end, c);
    return found != end && *found == c ? value[found - column.begin()] : 0.0f;
  }
};

}  // namespace fewshop
