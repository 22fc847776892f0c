#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <ATen/CPUGeneratorImpl.h>

#include <cmath>
#include <numbers>

#include "core/error.h"
#include "learner/learner.h"

namespace fewshop::learning {

Tensor Distribution::quantile(double p) const {
  require(family == Family::kGaussian, "quantile: scores have no unit, so no quantiles");
  require(p > 0 && p < 1, "quantile: ", p, " is outside (0, 1)");
  const double z = std::numbers::sqrt2 * at::erfinv(at::scalar_tensor(2 * p - 1, at::kDouble)).item<double>();
  return mean() + z * variance().sqrt();
}

Tensor Distribution::log_prob(const Tensor& target) const {
  require(family == Family::kGaussian, "log_prob: scores have no density over targets");
  const Tensor error = target - mean();
  return -0.5 * (error * error / variance() + variance().log() + std::log(2 * std::numbers::pi));
}

Tensor Distribution::sample(uint64_t seed) const {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return mean() + variance().sqrt() * at::randn(mean().sizes(), generator, mean().options());
}

}  // namespace fewshop::learning
