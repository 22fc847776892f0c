#pragma once

#include <ATen/Functions.h>

#include "core/random.h"

namespace fewshop::learning {

/// Independent draws of N(0, deviation^2), the same for every number type.
inline at::Tensor normal_tensor(at::IntArrayRef shape, double deviation, Random& random, at::ScalarType type) {
  at::Tensor t = at::empty(shape, at::kDouble);
  double* values = t.data_ptr<double>();
  for (int64_t i = 0; i < t.numel(); ++i) values[i] = deviation * random.normal();
  return t.to(type);
}

}  // namespace fewshop::learning
