#pragma once

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <span>

namespace fewshop::learning {

/// Rising thresholds [C - 1] of the ordinal likelihood, from the tensors of Likelihood::initial(), a start and the
/// logarithms of the steps: P(target <= c) = sigmoid(threshold_c - output).
inline at::Tensor ordinal_thresholds(std::span<const at::Tensor> beside) {
  return at::cat({beside[0].reshape({1}), beside[0] + beside[1].exp().cumsum(0)});
}

}  // namespace fewshop::learning
