#pragma once

#include "learner/class_aggregates.h"
#include "learner/network_model.h"
#include "learner/nlba_options.h"

namespace fewshop::learning {

/// Non-linear classifier with task-dependent biases, computed from the support in one pass.
///
///   R_c     shrunk mean of F(x) over the support rows of class c (class_aggregates.h)
///   h     = silu(W F(x) + b + sum over classes of V_c R_c)
///   f(x)  = w . h + b' + sum over classes of v_c . R_c
///
/// F is the base network with d outputs; weights are the same for all tasks, biases are a task's own: h holds `hidden`
/// units. State of a task: its biases.
///
/// Vartak, Thiagarajan, Miranda, Bratman, Larochelle. "A Meta-Learning Perspective on Cold-Start Recommendations for
/// Items." NeurIPS 2017, section 3.2 (NLBA). Departures: b and b' (0 in the paper); class means are shrunk; a smooth
/// activation instead of ReLU; targets of ratings count by their distance from the mean.
class Nlba final : public NetworkModel {
 public:
  /// Throws InvalidInput for counts.
  Nlba(const NlbaOptions& options, const nlohmann::json& encoder, const EpisodicProblem& problem, const Random& random);

  Adapted adapt(const Rows& support, const Task& task) const override;  // "hidden" [T, hidden], "out" [T, O]
  int64_t state_size() const override { return hidden_bias_.size(0) + out_bias_.size(0); }

 protected:
  Tensor output(const Adapted& adapted, const Rows& rows) const override;

 private:
  ClassAggregates aggregates_;
  Tensor hidden_weight_, hidden_bias_, hidden_map_;  // W [H, d], b [H], V [H, C d]
  Tensor out_weight_, out_bias_, out_map_;           // w [O, H], b' [O], v [O, C d]
  Tensor log_shrink_;                                // []
};

std::unique_ptr<EpisodicModel> make_nlba(const nlohmann::json& options, const nlohmann::json& encoder,
                                         const EpisodicProblem& problem, Random random);

}  // namespace fewshop::learning
