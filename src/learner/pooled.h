#pragma once

#include "learner/network_model.h"

namespace fewshop::learning {

/// One network over the rows of all tasks, the same for each: the support of a task is not looked at.
///
///   min over theta of  mean over tasks of  mean over rows of -log p(y | f_theta(x))
///
/// Support and query rows are trained on alike. What tells tasks apart is what their rows say (a description among the
/// fields). The plain method that every adapting learner has to beat. State of a task: nothing.
class Pooled : public NetworkModel {
 public:
  Pooled(const nlohmann::json& encoder, const EpisodicProblem& problem, const Random& random);

  Adapted adapt(const Rows& support, const Task& task) const override;
  Tensor query_loss(const Batch& batch, const Random& random) const final;
  int64_t state_size() const override { return 0; }

 protected:
  Tensor output(const Adapted& adapted, const Rows& rows) const override;
};

std::unique_ptr<EpisodicModel> make_pooled(const nlohmann::json& options, const nlohmann::json& encoder,
                                           const EpisodicProblem& problem, Random random);

}  // namespace fewshop::learning
