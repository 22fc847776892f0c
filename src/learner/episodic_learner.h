#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "learner/episodic_member.h"
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

/// The form of such a learner that answers without libtorch; null where the learner or its network has none with these
/// options. `negatives` as in EpisodicOptions.
std::unique_ptr<Member> runtime_form(const EpisodicRecipe& recipe, const EpisodicModel& model, const ItemInputs& inputs,
                                     bool ranking, int negatives);

}  // namespace fewshop::learning
