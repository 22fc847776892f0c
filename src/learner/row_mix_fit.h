#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "runtime/predictive.h"
#include "runtime/row_mix.h"

namespace fewshop {

/// What the members answered for one held-out episode, n query rows, M members.
struct RowSample {
  int32_t task = 0;
  int support = 0;                 // groups
  double row_weight = 1;           // how many query rows each stands for
  std::vector<float> target;       // [n]
  std::vector<Predictive> answer;  // [M, n]
};

/// The weights of `members` (positions among the samples' members) with the largest mean log score of the pool, held
/// near those that give `favourite` nearly everything: how firmly is chosen by fits on one half of the tasks that are
/// judged on the other. Episodes weigh alike, or by their rows where `by_rows`.
/// Hall, Mitchell. "Combining density forecasts." International Journal of Forecasting 23, 2007.
RowMix fit_row_mix(std::span<const RowSample> samples, const std::vector<int>& members, int favourite, bool by_rows,
                   int threads);

}  // namespace fewshop
