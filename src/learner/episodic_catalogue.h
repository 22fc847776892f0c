#pragma once

#include <vector>

#include "learner/catalogue.h"

namespace fewshop {

/// The learners that train a network by episodes, as the catalogue lists them.
std::vector<LearnerInfo> episodic_learners();

/// Options of `bayes` in problems that ask about rows, where it trains a network, too.
std::vector<FieldInfo> bayes_row_options();

}  // namespace fewshop
