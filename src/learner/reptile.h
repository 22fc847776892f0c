#pragma once

#include "learner/maml.h"
#include "learner/reptile_options.h"

namespace fewshop::learning {

/// Reptile: the initial weights move towards the weights that some gradient steps on a task lead to.
///
///   outer gradient = mean over tasks of (theta - theta_J) / step_size
///
/// theta_J are the weights after J steps on all rows of the task, support and query alike; each step sees `inner_batch`
/// of them, drawn anew: without that, or with one step, it would be joint training. New tasks adapt to their support
/// rows as with `maml`. With adapts = decision the embeddings stay shared; their outer gradient is the sum of what the
/// steps would move them by. What is trained beside the network (the noise variance ...) follows the query loss.
///
/// Nichol, Achiam, Schulman. "On first-order meta-learning algorithms." 2018, algorithm 2.
class Reptile final : public Maml {
 public:
  Reptile(const ReptileOptions& options, const nlohmann::json& encoder, const EpisodicProblem& problem,
          const Random& random);

  bool has_outer_gradient() const override { return true; }
  std::vector<Tensor> outer_gradient(const Batch& batch, const Random& random) const override;

 private:
  std::vector<Tensor> network_gradient(const Batch& batch, const Random& random) const;

  ReptileOptions options_;
};

std::unique_ptr<EpisodicModel> make_reptile(const nlohmann::json& options, const nlohmann::json& encoder,
                                            const EpisodicProblem& problem, Random random);

}  // namespace fewshop::learning
