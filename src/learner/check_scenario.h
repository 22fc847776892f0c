#pragma once

#include "scenario/scenario.h"

namespace fewshop {

/// Checks what a scenario says of learners against the catalogue: names of the learner and the baselines are known and
/// fit the problem, options are known and within their ranges. Throws InvalidInput naming what there is.
void check_scenario(const Scenario& scenario);

}  // namespace fewshop
