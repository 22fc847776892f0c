#pragma once

#include "evaluate/outcome.h"
#include "runtime/model.h"
#include "task/problem.h"

namespace fewshop {

struct RunOptions {
  int threads = 0;     // 0 = all cores; answers do not depend on it
  bool timing = true;  // measure adapting and predicting as well
  bool alone = false;  // one more method behind the baselines: what the learner answers by itself, no stack, no gate
};

/// Asks a model about every test task of a problem: at the headline and at every shot, with every method.
///
/// `problem` was loaded with the model's scenario and encoders. Items of the data that the model does not know are made
/// known to it first, from their features, which is why the model is not const; rows of the support with an event kind
/// that training has not seen are left out.
///
/// Predictions are asked for the query rows. Ranks are worked out among all items of the model, those of the support
/// apart where the scenario excludes them; a query item counts once.
Outcomes run_model(Model& model, const LoadedProblem& problem, const RunOptions& options = {});

/// The numbers of the tasks' distinct values: [tasks]. They depend on the data only, so that runs with other seeds or
/// splits number alike.
std::vector<int32_t> task_units(const Dataset& data);

/// The seed of the permutation that breaks ties in a task: the same for every method and run of one split seed.
uint64_t tie_seed(const Dataset& data, const Scenario& scenario, int32_t task);

/// The items of some rows, each once, ascending.
std::vector<int32_t> distinct_items(const Dataset& data, const std::vector<int32_t>& rows);

/// Items of the support that are no candidates: each once and ascending; none where the scenario includes seen ones.
std::vector<int32_t> excluded_items(const Dataset& data, const Scenario& scenario, const Episode& episode);

}  // namespace fewshop
