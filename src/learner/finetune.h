#pragma once

#include "learner/fast_part.h"
#include "learner/finetune_options.h"
#include "learner/pooled.h"

namespace fewshop::learning {

/// Transfer learning: a network trained on all tasks together (as `pooled`), then some gradient steps on the support.
///
///   w_0 = theta,  w_{j+1} = w_j - rate * n / (n + shrink) * d/dw mean over support rows of -log p(y | f_w(x))
///
/// n is the number of support rows: few rows move the weights less. The outer loop knows nothing of the steps; their
/// number, their size and `shrink` are what candidates() lists. State of a task: the weights that adapt.
class Finetune final : public Pooled {
 public:
  Finetune(const FinetuneOptions& options, const nlohmann::json& encoder, const EpisodicProblem& problem,
           const Random& random);

  Adapted adapt(const Rows& support, const Task& task) const override;
  /// {"steps", "rate", "shrink"}; none where both steps and rate are given.
  std::vector<nlohmann::json> candidates() const override;
  void choose(const nlohmann::json& candidate) override;
  int64_t state_size() const override { return part_.size(); }

 protected:
  Tensor output(const Adapted& adapted, const Rows& rows) const override;

 private:
  FinetuneOptions options_;
  FastPart part_;
  Tensor steps_, rate_, shrink_;  // []
};

std::unique_ptr<EpisodicModel> make_finetune(const nlohmann::json& options, const nlohmann::json& encoder,
                                             const EpisodicProblem& problem, Random random);

}  // namespace fewshop::learning
