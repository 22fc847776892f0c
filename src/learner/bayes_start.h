#pragma once

#include <cstdint>
#include <string>

#include "learner/bayes.h"

namespace fewshop::learning {

/// What `bayes` begins its training with, head size d: item biases from shrunk means (ratings) or log counts (ranks)
/// and small random vectors (`from` "random"), or everything as ALS leaves it ("als"). Throws
/// InvalidInput where no training rows are left or `from` does not fit.
BayesParameters initial_parameters(const FitInput& input, const BayesInputs& inputs, int d, const std::string& from,
                                   uint64_t seed);

}  // namespace fewshop::learning
