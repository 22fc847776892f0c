#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "learner/meta_train.h"

namespace fewshop::learning {

/// Kingma, Ba. "Adam: a method for stochastic optimization." ICLR 2015; beta 0.9 and 0.99.
class Adam {
 public:
  /// Moves `parameters` in place; they outlive this object. Their number and shapes do not change.
  Adam(std::vector<Parameter>& parameters, double epsilon);

  /// One pass over all numbers, on `threads` threads; the number changes no bit. The gradient is the sum of what shards
  /// give, in their order: each one tensor per parameter, undefined = zeros.
  void step(const std::vector<std::vector<at::Tensor>>& shards, double lr, int threads = 1);

  // What a checkpoint keeps.
  std::vector<at::Tensor> first, second;  // moments
  int64_t steps = 0;

 private:
  std::vector<Parameter>& parameters_;
  double epsilon_;
};

}  // namespace fewshop::learning
