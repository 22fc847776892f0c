#pragma once

#include <ATen/core/Tensor.h>

namespace fewshop::nn {

// Axes: T tasks, N rows, D weights, M right-hand sides.

/// X = A^-1 B for symmetric positive definite A, for every task at once.
///
///   a [T, N, N], b [T, N, M]  ->  [T, N, M]
///
/// One autograd node, differentiable as often as wanted; factored in double precision. Throws Failure where a system is
/// not positive definite or not finite (training has diverged).
at::Tensor spd_solve(const at::Tensor& a, const at::Tensor& b);

/// (I + V^T V)^-1 B through the smaller of the two equal forms: a system in the D weights, or in the N rows,
///
///   (I + V^T V)^-1 = I - V^T (I + V V^T)^-1 V
///
///   v [T, N, D], b [T, D, M]  ->  [T, D, M].  Rows of zeros (padding) change nothing.
at::Tensor gram_solve(const at::Tensor& v, const at::Tensor& b);

/// (I + V^T V)^-1 V^T R = V^T (I + V V^T)^-1 R: ridge regression with penalty 1.
///
///   v [T, N, D], r [T, N, M]  ->  [T, D, M]
at::Tensor ridge_solve(const at::Tensor& v, const at::Tensor& r);

}  // namespace fewshop::nn
