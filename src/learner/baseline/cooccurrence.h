#pragma once

#include <functional>
#include <span>

#include "learner/baseline/interactions.h"
#include "runtime/sparse_rows.h"

namespace fewshop {

/// How one item occurs together with all others.
struct PairSums {
  std::span<const float> count;    // [items] tasks that have both
  std::span<const float> product;  // [items] sum over these tasks of value x value; empty where not asked for
};

/// Calls visit(item, sums) once for every item of `items`, on `threads` threads; sums hold only for the call, and only
/// pairs of two listed items are counted. Memory: one row of sums per thread.
void visit_pairs(const Interactions& by_task, const Interactions& by_item, std::span<const int32_t> items,
                 bool products, int threads, const std::function<void(int32_t item, const PairSums& sums)>& visit);

/// One weight of a row before it is laid out.
struct Weight {
  int32_t item;
  float value;
};

/// Leaves the `keep` entries of largest magnitude, ascending by item; ties go to the smaller item.
void keep_largest(std::vector<Weight>& weights, int keep);

/// Adds the weight of an item for itself at its place.
void insert_self(std::vector<Weight>& weights, int32_t item, double self);

/// Lists per support item laid out as sparse rows. Empties the lists.
SparseRows sparse_rows(std::vector<std::vector<Weight>>& per_support_item);

/// The same from lists per scored item (columns).
SparseRows by_support_item(const std::vector<std::vector<Weight>>& per_scored_item);

}  // namespace fewshop
