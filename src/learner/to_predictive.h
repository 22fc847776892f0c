#pragma once

#include "learner/learner.h"
#include "runtime/predictive.h"

namespace fewshop::learning {

/// Query row `row` of the only task of a distribution, in the form that serving speaks of.
Predictive to_predictive(const Distribution& distribution, int64_t row);

}  // namespace fewshop::learning
