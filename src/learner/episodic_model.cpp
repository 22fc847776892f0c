#include "learner/episodic_model.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "core/error.h"
#include "learner/bayes_rows.h"
#include "learner/cavia.h"
#include "learner/finetune.h"
#include "learner/learned_optimizer.h"
#include "learner/lwa.h"
#include "learner/maml.h"
#include "learner/mamo.h"
#include "learner/multitask.h"
#include "learner/nlba.h"
#include "learner/pooled.h"
#include "learner/protonet.h"
#include "learner/reptile.h"
#include "learner/ridge.h"

namespace fewshop::learning {
namespace {

struct Entry {
  std::string name;
  std::unique_ptr<EpisodicModel> (*make)(const nlohmann::json& options, const nlohmann::json& encoder,
                                         const EpisodicProblem& problem, Random random);
};

/// All learners that train by episodes through EpisodicModel, in the order of their names.
const std::vector<Entry>& entries() {
  static const std::vector<Entry> all{
      {"bayes", make_bayes_rows},  {"cavia", make_cavia},
      {"finetune", make_finetune}, {"learned-optimizer", make_learned_optimizer},
      {"lwa", make_lwa},           {"maml", make_maml},
      {"mamo", make_mamo},         {"multitask", make_multitask},
      {"nlba", make_nlba},         {"pooled", make_pooled},
      {"protonet", make_protonet}, {"reptile", make_reptile},
      {"ridge", make_ridge},
  };
  return all;
}

/// -log p of each target [T, Q]; of scores the logistic loss of targets 1 and 0.
Tensor row_loss(const Distribution& distribution, const Tensor& target) {
  if (distribution.family != Family::kScores) return -distribution.log_prob(target);
  const Tensor score = distribution.mean();
  return at::softplus(score) - target * score;
}

}  // namespace

Tensor EpisodicModel::query_loss(const Batch& batch, const Random& /*random*/) const {
  const Tensor loss = row_loss(predict(adapt(batch.support, batch.task), batch.query), batch.query.target);
  return mean_loss(loss, batch.query.mask, batch.query.weight);
}

std::unique_ptr<EpisodicModel> make_episodic(const std::string& name, const nlohmann::json& options,
                                             const nlohmann::json& encoder, const EpisodicProblem& problem,
                                             Random random) {
  std::string known;
  for (const Entry& entry : entries()) {
    if (entry.name == name) return entry.make(options, encoder, problem, random);
    known += (known.empty() ? "" : ", ") + entry.name;
  }
  throw InvalidInput("learner: '" + name + "' does not train by episodes of a network; those that do: " + known);
}

}  // namespace fewshop::learning
