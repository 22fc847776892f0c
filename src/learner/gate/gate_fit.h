#pragma once

#include <vector>

#include "learner/held_out.h"
#include "runtime/stack.h"

namespace fewshop {

/// Which method of a judgement is which.
struct GateMethods {
  std::vector<int> baselines;  // positions in Judgement::methods
  int adapted = 0;             // position of the mixed (or the learner's) answer
};

/// The best baseline over all natural episodes: position in GateMethods::baselines. Sizes count alike.
int best_baseline(const Metric& metric, const std::vector<Judgement>& judgements, const GateMethods& methods);

/// Where adapting is served. At every size the best baseline of that size stands against the adapted answer (the best
/// of all sizes, unless another one is proven to be better at this size); it opens where the one-sided 95 % lower bound
/// of the paired gain in the metric is above 0, neighbouring sizes pooled.
///
/// Metrics that are errors of predictions: gains are made isotonic in the size (once open, open for all larger
/// supports), and decided per item cell where a cell has at least 200 tasks, as for the whole list elsewhere. Other
/// metrics are decided for the whole list, and a size opens only beside another one that does. `baseline` of the result
/// holds positions in GateMethods::baselines.
Gate fit_gate(const Metric& metric, const std::vector<int>& sizes, const std::vector<Judgement>& judgements,
              const GateMethods& methods);

/// The isotonic (non-decreasing) least-squares fit of values with weights; blocks[i] numbers the pool that i fell into.
/// Ayer et al. "An empirical distribution function for sampling with incomplete information." 1955.
std::vector<double> isotonic(const std::vector<double>& values, const std::vector<double>& weights,
                             std::vector<int>& blocks);

}  // namespace fewshop
