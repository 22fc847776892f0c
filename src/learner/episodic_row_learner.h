#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "learner/row_fit.h"

namespace fewshop::learning {

/// An episodic learner of a problem that asks about rows, as make_episodic_learner for recommenders.
std::unique_ptr<RowLearner> make_episodic_row_learner(const std::string& name, const nlohmann::json& options,
                                                      const nlohmann::json& encoder);

}  // namespace fewshop::learning
