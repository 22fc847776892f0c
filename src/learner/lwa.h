#pragma once

#include "learner/class_aggregates.h"
#include "learner/lwa_options.h"
#include "learner/network_model.h"

namespace fewshop::learning {

/// Linear classifier with task-dependent weights, computed from the support in one pass.
///
///   R_c     shrunk mean of F(x) over the support rows of class c (class_aggregates.h)
///   w_t   = g + sum over classes of W_c R_c
///   f(x)  = b + F(x) . w_t
///
/// F is the base network with d outputs. W_c is a number (the paper) or a matrix. With several outputs (multiclass)
/// output o has w_to = g + W_1 R_o + W_0 mean of the other classes' R, so that classes are treated alike.
/// State of a task: w_t.
///
/// Vartak, Thiagarajan, Miranda, Bratman, Larochelle. "A Meta-Learning Perspective on Cold-Start Recommendations for
/// Items." NeurIPS 2017, section 3.1 (LWA). Departures: g, what tasks have in common (0 in the paper, where a task
/// without support has no opinion); class means are shrunk; targets of ratings count by their distance from the mean.
class Lwa final : public NetworkModel {
 public:
  /// Throws InvalidInput for counts.
  Lwa(const LwaOptions& options, const nlohmann::json& encoder, const EpisodicProblem& problem, const Random& random);

  Adapted adapt(const Rows& support, const Task& task) const override;  // "head" [T, O, d]
  int64_t state_size() const override;

 protected:
  Tensor output(const Adapted& adapted, const Rows& rows) const override;

 private:
  Tensor mapped(const Tensor& aggregates, int64_t map) const;  // [T, E] -> [T, E]

  ClassAggregates aggregates_;
  Tensor maps_;        // [C, d, d] or [C]; multiclass: [2, ...]
  Tensor common_;      // g [d]
  Tensor bias_;        // b [O]
  Tensor log_shrink_;  // []
};

std::unique_ptr<EpisodicModel> make_lwa(const nlohmann::json& options, const nlohmann::json& encoder,
                                        const EpisodicProblem& problem, Random random);

}  // namespace fewshop::learning
