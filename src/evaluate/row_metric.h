#pragma once

#include <span>

#include "evaluate/metric.h"
#include "runtime/predictive.h"

namespace fewshop {

/// What the query rows of one task add to a metric, as one method answered them: target [Q], predicted [Q].
///
///   log-loss, accuracy, brier, rps, poisson-deviance, mae   mean over the task's rows
///   rmse, f1                                                sums over rows, so that tasks weigh by their rows
///   gauc                                                    of the task's rows by the probability of 1
///   auc                                                     none: it is no sum over tasks (bootstrap.h)
///
/// mae takes the median of counts and ordered classes (positions), else the mean; rmse the mean; accuracy the most
/// probable class; f1 counts a probability of 1 from one half on as a yes. docs/evaluation.md has every formula.
Part row_part(const Metric& metric, std::span<const float> target, std::span<const Predictive> predicted,
              uint64_t tie_seed);

}  // namespace fewshop
