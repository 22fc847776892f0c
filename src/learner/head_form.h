#pragma once

#include <span>
#include <vector>

#include "learner/likelihood.h"
#include "runtime/head_link.h"

namespace fewshop::learning {

// From trained tensors to the plain arrays of a runtime form.

std::vector<float> floats(const Tensor& tensor);
std::vector<double> doubles(const Tensor& tensor);
double number(const Tensor& scalar);

/// What a likelihood and the tensors beside it make of link values.
HeadLink head_link(const Likelihood& likelihood, std::span<const Tensor> beside);

}  // namespace fewshop::learning
