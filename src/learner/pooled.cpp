#include "learner/pooled.h"

#include <ATen/Functions.h>

#include "learner/pooled_options.h"

namespace fewshop::learning {

Pooled::Pooled(const nlohmann::json& encoder, const EpisodicProblem& problem, const Random& random)
    : NetworkModel(encoder, problem, 0, random, output_scale(problem)) {}

Adapted Pooled::adapt(const Rows& /*support*/, const Task& /*task*/) const { return {}; }

Tensor Pooled::output(const Adapted& /*adapted*/, const Rows& rows) const {
  return network().forward(weights(), rows.x);
}

Tensor Pooled::query_loss(const Batch& batch, const Random& /*random*/) const {
  std::vector<Tensor> losses, masks, weights_of_rows;
  for (const Rows* rows : {&batch.support, &batch.query}) {
    losses.push_back(row_loss(Pooled::output({}, *rows), *rows));
    masks.push_back(rows->mask);
    weights_of_rows.push_back(rows->weight);
  }
  return mean_loss(at::cat(losses, 1), at::cat(masks, 1), at::cat(weights_of_rows, 1));
}

std::unique_ptr<EpisodicModel> make_pooled(const nlohmann::json& options, const nlohmann::json& encoder,
                                           const EpisodicProblem& problem, Random random) {
  PooledOptions o;
  set_fields(o, options, "learner");
  return std::make_unique<Pooled>(encoder, problem, random);
}

}  // namespace fewshop::learning
