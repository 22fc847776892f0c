#pragma once

#include "learner/baseline/baseline.h"
#include "learner/baseline/options.h"

namespace fewshop {

/// Biased ALS of ratings, one member per entry.
std::vector<std::unique_ptr<Member>> fit_rating_als(const FitInput& input,
                                                    const std::vector<nlohmann::json>& constants);

/// Implicit ALS of ranking problems, one member per entry.
std::vector<std::unique_ptr<Member>> fit_implicit_als(const FitInput& input,
                                                      const std::vector<nlohmann::json>& constants);

}  // namespace fewshop
