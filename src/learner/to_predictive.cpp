#include "learner/to_predictive.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <cmath>

namespace fewshop::learning {

Predictive to_predictive(const Distribution& distribution, int64_t row) {
  const auto number = [&](const Tensor& of_rows) { return of_rows[0][row].item<double>(); };
  Predictive p;
  p.family = distribution.family;
  switch (distribution.family) {
    case Family::kCategorical:
    case Family::kOrdinal: {
      const Tensor probability = distribution.probabilities()[0][row].to(at::kDouble).contiguous();
      p.probability.assign(probability.data_ptr<double>(), probability.data_ptr<double>() + probability.numel());
      break;
    }
    case Family::kNegativeBinomial:
      p.size = std::exp(number(distribution.parameters.at("log_dispersion")));
      p.mean = number(distribution.mean());
      break;
    default:
      p.mean = number(distribution.mean());
      p.variance = number(distribution.variance());
  }
  return p;
}

}  // namespace fewshop::learning
