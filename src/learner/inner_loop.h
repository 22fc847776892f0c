#pragma once

#include <functional>
#include <span>
#include <vector>

#include "learner/learner.h"

namespace fewshop::learning {

// Axes: T tasks.

/// Gradient descent of every task on its own loss, from shared starting values:
///
///   theta_0 = start,   theta_{j+1} = theta_j - step_size(j) * grad L(theta_j),   j = 0 .. steps - 1
struct InnerLoop {
  int steps = 5;
  /// What the result is differentiable in, where gradients are on (else it has no graph):
  /// 2: in all that start, loss and step sizes depend on (MAML);
  /// 1: in start and step sizes, as if the inner gradients were constants (first-order MAML).
  int order = 2;
  /// [T] losses from values [T, ...]. Called with gradients on.
  std::function<Tensor(std::span<const Tensor>, int step)> loss;
  /// The step size of tensor i in a step, as it multiplies its gradient [T, ...].
  std::function<Tensor(int step, size_t i)> step_size;
  /// Sees the values before each step and the gradients there; may be empty.
  std::function<void(int step, std::span<const Tensor> values, std::span<const Tensor> gradients)> watch = nullptr;
};

/// `start` [T, ...] each; tasks share none of it, so that the gradient of the summed losses holds each task's own.
/// A tensor that the loss does not depend on stays as it is.
///
/// Finn, Abbeel, Levine. "Model-agnostic meta-learning for fast adaptation of deep networks." ICML 2017, eq. 1; order
/// 1: section 5.2 there, and Nichol, Achiam, Schulman. "On first-order meta-learning algorithms." 2018.
std::vector<Tensor> run(const InnerLoop& loop, std::vector<Tensor> start);

/// What each row counts in the mean of its task: mask * weight / their sum, [T, S]; all 0 in a task without rows.
Tensor row_shares(const Rows& rows);

}  // namespace fewshop::learning
