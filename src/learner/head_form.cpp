#include "learner/head_form.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <cmath>

#include "learner/ordinal.h"

namespace fewshop::learning {

std::vector<float> floats(const Tensor& tensor) {
  const Tensor t = tensor.detach().to(at::kFloat).contiguous();
  return {t.data_ptr<float>(), t.data_ptr<float>() + t.numel()};
}

std::vector<double> doubles(const Tensor& tensor) {
  const Tensor t = tensor.detach().to(at::kDouble).contiguous();
  return {t.data_ptr<double>(), t.data_ptr<double>() + t.numel()};
}

double number(const Tensor& scalar) { return scalar.item<double>(); }

HeadLink head_link(const Likelihood& likelihood, std::span<const Tensor> beside) {
  HeadLink link;
  link.glm.family = likelihood.family();
  link.outputs = static_cast<int32_t>(likelihood.outputs());
  if (likelihood.family() == Family::kGaussian) link.glm.variance = std::exp(number(beside[0]));
  if (likelihood.family() == Family::kNegativeBinomial) link.glm.size = std::exp(number(beside[0]));
  if (likelihood.family() == Family::kOrdinal) link.glm.threshold = doubles(ordinal_thresholds(beside));
  return link;
}

}  // namespace fewshop::learning
