#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "learner/fit.h"

namespace fewshop::learning {

/// An episodic learner (maml, ridge ...) of ratings or rankings as a learner that the trainer can fit.
///
///   options   as in [learner]: those of EpisodicOptions and the learner's own; checked
///   encoder   as in [learner.encoder]; checked
///
/// What it chooses is {"epochs": n, "schedule": n}.
std::unique_ptr<Learner> make_episodic_learner(const std::string& name, const nlohmann::json& options,
                                               const nlohmann::json& encoder);

}  // namespace fewshop::learning
