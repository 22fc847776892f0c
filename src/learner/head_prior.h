#pragma once

#include <functional>

#include "learner/learner.h"

namespace fewshop::learning {

// Axes: N heads, O outputs, D numbers of a head for one output.

/// A Gaussian over heads, one for each output.
struct HeadPrior {
  Tensor mean;       // [O, D]
  Tensor precision;  // [O, D, D]
};

/// The Gaussian that fits some heads [N, O, D]: their mean, and their covariance drawn towards its diagonal by
/// D / (N + D), so that few heads give one, too. In double precision. Throws Failure for heads that are not finite.
HeadPrior fit_head_prior(const Tensor& heads);

/// The heads that the support makes most probable, for every task at once:
///
///   argmin over w of  sum over rows of importance * l(y, x . w)  +  1/2 sum over outputs (w_o - m_o)^T P_o (w_o - m_o)
///
///   x [T, S, D], importance [T, S] (0 = padding), prior  ->  [T, O, D]
///
/// `loss` gives l [T, S] from x . w [T, S, O], convex in each output. Where it is `quadratic`, one Newton step; else
/// ten, shortened where they would move an output by more than 3. With several outputs 30 steps, each output with the
/// bound 1/2 of the softmax as its curvature (Boehning. "Multinomial logistic regression algorithm." 1992). The result
/// has no graph.
Tensor most_probable_heads(const Tensor& x, const Tensor& importance, const HeadPrior& prior, bool quadratic,
                           const std::function<Tensor(const Tensor&)>& loss);

}  // namespace fewshop::learning
