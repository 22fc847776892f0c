#pragma once

#include "scenario/scenario.h"

namespace fewshop {

/// Checks what a scenario says of learners against the catalogue: names of the learner and the baselines are known and
/// fit the problem, options are known and within their ranges. Throws InvalidInput naming what there is.
void check_scenario(const Scenario& scenario);

/// The scenario with what the catalogue fills in where the file is silent: the baselines that fit the problem, and the
/// default of every option of its learner (not of a baseline that is trained as one: its constants are chosen on
/// meta-validation tasks). Needs a checked scenario.
Scenario with_catalogue_defaults(Scenario scenario);

}  // namespace fewshop
