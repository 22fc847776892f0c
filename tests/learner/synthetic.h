#pragma once

#include <string>

#include "task/dataset.h"

namespace fewshop::testing {

/// A small shop whose ratings follow the model that `bayes` assumes: items have a hidden vector that their genre mostly
/// determines, users a hidden taste; 60 items, two genres columns, users in two groups with different tastes.
struct SyntheticShop {
  Scenario scenario;
  Dataset data;
  TaskSet tasks;
};
SyntheticShop synthetic_shop(Problem problem, int users, uint64_t seed);

}  // namespace fewshop::testing
