#pragma once

#include <ATen/core/Tensor.h>

namespace fewshop::nn {

// Axes: T tasks, S support rows, Q query rows, D head size.

/// The closed-form posterior of a linear head, for every task at once.
struct HeadSolution {
  at::Tensor weights;   // [T, D] posterior mean of the head
  at::Tensor variance;  // [T, Q] x_q^T A^-1 x_q
};

/// Bayesian linear regression with prior w ~ N(mean, precision^-1) and noise precision beta per row:
///
///   A = precision + X^T diag(beta) X,   weights = mean + A^-1 X^T diag(beta) (y - X mean)
///
///   x [T, S, D], y [T, S], beta [T, S] (0 = padding), precision [D, D] symmetric positive definite (shared),
///   mean [T, D], x_query [T, Q, D] (Q may be 0)
///
/// One autograd node, differentiable once in every argument; the solve runs in double precision. Throws Failure when a
/// system is not positive definite or not finite (training has diverged).
/// Bishop. "Pattern Recognition and Machine Learning." 2006, section 3.3; trained through the solve as in
/// Harrison, Sharma, Pavone. "Meta-learning priors for efficient online Bayesian regression" (ALPaCA). WAFR 2018.
HeadSolution head_solve(const at::Tensor& x, const at::Tensor& y, const at::Tensor& beta, const at::Tensor& precision,
                        const at::Tensor& mean, const at::Tensor& x_query);

}  // namespace fewshop::nn
