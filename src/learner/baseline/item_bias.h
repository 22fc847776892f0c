#pragma once

#include <vector>

#include "learner/baseline/interactions.h"

namespace fewshop {

/// Deviation of every item's ratings from `mean`, shrunk: sum of w (r - mean) / (shrink + sum of w), 0 without ratings.
std::vector<float> shrunken_item_bias(const Interactions& by_task, double mean, double shrink);

}  // namespace fewshop
