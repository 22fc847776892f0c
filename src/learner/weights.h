#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "learner/held_out.h"
#include "runtime/stack.h"

namespace fewshop {

/// Members, and held-out episodes that they answer: tasks of which no row took part in the members' fits.
struct Fold {
  std::vector<std::unique_ptr<Member>> members;  // baselines, then the learner where there is one
  std::vector<int32_t> counts;                   // [items] training rows of each item in these fits
  std::vector<HeldOutEpisode> episodes;
};

struct WeightOptions {
  bool learner = true;                    // the last member of every fold is the learner
  bool stack = true, gate = true;         // as the scenario asks
  std::vector<int> sizes;                 // support sizes of the gate
  float target_low = 0, target_high = 0;  // ratings are clipped to this
  float positive_above = 0;               // ratings: what counts as positive
  uint64_t seed = 0;
  int threads = 1;
};

/// What is fitted on held-out tasks with all members fixed.
struct Weights {
  Stack stack;                                      // empty without a learner or where the scenario has none
  Gate gate;                                        // positions of baselines among the members
  int best_baseline = 0;                            // position among the members
  nlohmann::json valid = nlohmann::json::object();  // metric -> value of the mixed answer on held-out tasks
};

/// Fits stack and gate. A task lands in one of two halves by a draw of its task value; each half is judged with weights
/// that were fitted on the other, and the stack that is kept is fitted on both.
Weights fit_weights(const Dataset& data, const Scenario& scenario, const std::vector<Fold>& folds,
                    const WeightOptions& options);

}  // namespace fewshop
