#pragma once

#include <functional>

#include "core/random.h"
#include "learner/learner.h"

namespace fewshop::testing {

// Tasks whose best possible prediction is known. Axes: T tasks, S support rows, Q query rows, d inputs.

/// Linear regression: x ~ N(0, I), y = w . x + noise, w ~ N(mean, covariance) anew for each task.
struct LinearTasks {
  at::Tensor mean;        // [d]
  at::Tensor covariance;  // [d, d]
  double noise_variance = 0.5;

  int64_t inputs() const { return mean.size(0); }
};

/// d = 8, w ~ N(0, I / 8), noise variance 0.5.
LinearTasks standard_linear_tasks(at::ScalarType type = at::kFloat);

/// `tasks` tasks with `support` and `query` rows each; the inputs are Rows::x.numbers, there are no offsets.
learning::Batch draw_tasks(const LinearTasks& world, int64_t tasks, int64_t support, int64_t query, Random random);
/// The same with a support size for each task: padded to the largest.
learning::Batch draw_tasks(const LinearTasks& world, const std::vector<int64_t>& support, int64_t query, Random random);

/// What no learner can beat in mean squared error: the posterior mean of w . x given the support rows, [T, Q].
at::Tensor bayes_predictor(const LinearTasks& world, const learning::Batch& batch);
/// Its variance, noise included: [T, Q]. Their mean is the Bayes risk.
at::Tensor bayes_variance(const LinearTasks& world, const learning::Batch& batch);

/// How much worse than the Bayes predictor, on the same tasks, relative to the Bayes risk.
struct Excess {
  double value = 0, standard_error = 0;
  double bayes_risk = 0;  // the closed form, averaged over the supports of these tasks
};

/// `predict` gives [T, Q] of batches of at most 1,000 tasks; 10 query rows a task. The mean over tasks of
/// (y - predicted)^2 - (y - bayes)^2, divided by the Bayes risk.
Excess excess_risk(const LinearTasks& world, int64_t support, int64_t tasks, Random random,
                   const std::function<at::Tensor(const learning::Batch&)>& predict);

}  // namespace fewshop::testing
