#pragma once

#include <cstdint>
#include <vector>

#include "learner/baseline/baseline.h"

namespace fewshop {

/// Training rows as sparse rows: the entries of task t are [begin[t], begin[t + 1]). Hidden items are left out.
struct Interactions {
  int64_t columns = 0;            // items; tasks when transposed
  std::vector<int64_t> begin{0};  // [rows + 1]
  std::vector<int32_t> column;    // [entries]
  std::vector<float> value;       // [entries] rating, or summed evidence
  std::vector<float> weight;      // [entries] importance; 1 for evidence

  int64_t rows() const { return static_cast<int64_t>(begin.size()) - 1; }
  int64_t entries() const { return static_cast<int64_t>(column.size()); }
  int64_t count(int64_t row) const { return begin[row + 1] - begin[row]; }
};

/// Every rating with a positive weight, in row order.
Interactions ratings(const FitInput& input);

/// One entry per task and item with positive evidence (target x weight), items ascending; the value is its sum.
Interactions distinct_items(const FitInput& input);

/// Rows and columns exchanged; the entries of a row are in ascending order of task.
Interactions transposed(const Interactions& by_task);

/// Entries of each column: [columns].
std::vector<int32_t> column_counts(const Interactions& by_task);

/// The columns of the `limit` most frequent columns that occur at all, ascending; ties go to the smaller number.
std::vector<int32_t> most_frequent(const std::vector<int32_t>& counts, int64_t limit);

/// Popularity in (0, 1e-6]: it orders what a method knows nothing about, and outweighs nothing that it knows.
std::vector<float> tie_break(const std::vector<int32_t>& counts);

/// Weighted mean of all values; 0 without entries.
double weighted_mean(const Interactions& by_task);

}  // namespace fewshop
