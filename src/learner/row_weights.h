#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <vector>

#include "learner/held_out.h"
#include "learner/row_fit.h"
#include "learner/row_mix_fit.h"
#include "runtime/stack.h"

namespace fewshop {

/// Asks all members for all episodes.
std::vector<RowSample> collect_row_samples(const Dataset& data, const std::vector<const RowMember*>& members,
                                           const std::vector<HeldOutEpisode>& episodes, int threads);

/// The mean metric of one member over episodes, averaged over groups of support sizes and turned so that lower is
/// better. What constants and the number of epochs are chosen by.
double row_member_loss(const Dataset& data, const RowMember& member, const Metric& metric,
                       const std::vector<HeldOutEpisode>& episodes, int threads);

/// Members, and held-out episodes that they answer: tasks of which no row took part in the members' fits.
struct RowFold {
  std::vector<std::unique_ptr<RowMember>> members;  // baselines, then the learner where there is one
  std::vector<HeldOutEpisode> episodes;
};

struct RowWeightOptions {
  bool learner = true;            // the last member of every fold is the learner
  bool mix = true, gate = true;   // as the scenario asks (stack, gate)
  std::vector<uint8_t> servable;  // [members] 1 = may be part of a served answer
  std::vector<int> sizes;         // support sizes of the gate
  uint64_t seed = 0;
  int threads = 1;
};

/// What is fitted on held-out tasks with all members fixed.
struct RowWeights {
  RowMix mix;                                       // empty without a learner or where the scenario has none
  Gate gate;                                        // positions of baselines among the members
  int best_baseline = 0;                            // position among the members
  nlohmann::json valid = nlohmann::json::object();  // metric -> value of the adapted answer on held-out tasks
};

/// Fits mix and gate. A task lands in one of two halves by a draw of its task value; each half is judged with weights
/// that were fitted on the other, and the mix that is kept is fitted on both.
RowWeights fit_row_weights(const Dataset& data, const Scenario& scenario, const std::vector<RowFold>& folds,
                           const RowWeightOptions& options);

}  // namespace fewshop
