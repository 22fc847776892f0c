#pragma once

#include "learner/episodic_model.h"
#include "learner/known_optimum.h"

namespace fewshop::testing {

/// Logistic regression tasks in two dimensions: x ~ N(0, I), w ~ N(0, deviation^2 I), y ~ Bernoulli(sigmoid(x . w)).
struct LogisticTasks {
  double deviation = 1;

  learning::Batch batch(int64_t tasks, int64_t support, int64_t query, const Random& random) const;

  /// The best possible probability of 1 of each query row [T, Q]: the integral over the posterior of w under the true
  /// prior, by a product Gauss-Hermite rule around the posterior's mode, reweighted to the posterior itself.
  /// Naylor, Smith. "Applications of a method for the efficient computation of posterior distributions." 1982.
  at::Tensor best(const learning::Batch& batch) const;
};

/// Excess of the log-loss over that of the best prediction, on the same drawn targets, as a share of the latter.
Excess excess_log_loss(const learning::EpisodicModel& model, const LogisticTasks& problem, int64_t k, int64_t tasks,
                       uint64_t seed);

}  // namespace fewshop::testing
