#pragma once

#include "learner/learner.h"
#include "runtime/family.h"

namespace fewshop::learning {

// Axes: T tasks, S support rows, E embedding size, C classes.

/// How much of each class a support row holds, and the shrunk mean embedding of each class: what `lwa` and `nlba` know
/// of a task.
///
///   R_c = sum over rows of importance * m_c(y) F(x)  /  (shrink + sum over rows of importance * share_c(y))
///
///   bernoulli, scores      C = 2         m_1 = y, m_0 = 1 - y;       share = m
///   categorical, ordinal   C = classes   m_c = 1 where y is c;       share = m
///   gaussian               C = 2         m_0 = 1, m_1 = (y - offset) / deviation;   share = 1
///
/// shrink = 0 is the paper's mean; a class without rows has R = 0.
struct ClassAggregates {
  Family family;
  int64_t classes;   // of the problem
  double deviation;  // of targets, gaussian

  /// Throws InvalidInput for other families, naming `learner`.
  ClassAggregates(Family family, int64_t classes, double target_variance, const char* learner);

  int64_t size() const;  // C
  /// embeddings [T, S, E], shrink [] -> [T, C, E]
  Tensor operator()(const Tensor& embeddings, const Rows& support, const Tensor& shrink) const;
};

}  // namespace fewshop::learning
