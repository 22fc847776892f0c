#pragma once

#include <functional>
#include <nlohmann/json.hpp>

#include "learner/episodic_model.h"
#include "learner/episodic_options.h"

namespace fewshop::learning {

/// The options of [learner], parted: those of the outer loop, and the learner's own.
struct SplitOptions {
  EpisodicOptions outer;
  nlohmann::json own = nlohmann::json::object();
};
SplitOptions split_options(const nlohmann::json& options);

/// One fit of an episodic model, whatever its rows are: items of a recommender, or rows with columns of their own.
struct EpisodicFit {
  EpisodicOptions options;
  EpisodicModel& model;  // its parameters are moved in place
  const Dataset& data;
  const Scenario& scenario;
  TaskSet tasks;
  Run run;
  /// Episodes as the model reads them; `hidden` [items] marks items held out of this step.
  std::function<Batch(std::span<const Episode>, const std::vector<uint8_t>& hidden, const Random&)> batch;
  /// Meta-validation loss of the present parameters; empty: repeat what `chosen` says.
  std::function<double()> validation_loss;
};

/// Trains by meta_train; returns what was chosen: {"epochs": n, "schedule": n}, and
/// "constants" where the model leaves some to be chosen. Throws Failure with advice where
/// training diverges.
nlohmann::json fit_episodic(const EpisodicFit& fit, const nlohmann::json& chosen);

}  // namespace fewshop::learning
