#pragma once

#include <memory>
#include <nlohmann/json.hpp>

#include "learner/embedding.h"
#include "learner/episodic_model.h"
#include "learner/protonet_options.h"

namespace fewshop::learning {

/// Prototypical networks: every class of a task is the mean of its support embeddings, drawn towards a learned prior
/// prototype, and the nearest one is the likeliest.
///
///   p_c     = (kappa m_c + sum over support rows s of class c: v_s phi_s) / (kappa + n_c),   n_c = sum of v_s
///   logit_c = - scale |phi_q - p_c|^2 + gamma log((n_c + alpha_c) / (n + sum of alpha)),     v_s = weight of row s
///
/// Classes that mean the same in every task have a prior prototype m_c and a count alpha_c each; classes of a task's
/// own (numbered by position) share one. A class without support is its prior prototype. Of two classes (bernoulli) the
/// offset of a row is added to the score of class 1.
///
/// Snell, Swersky, Zemel. "Prototypical Networks for Few-shot Learning." NeurIPS 2017, eq. 1 and 2; the prior prototype
/// (kappa), the scale and the class prior (gamma) are ours: kappa = 0, scale = 1, gamma = 0 give the paper's method.
class Protonet : public EpisodicModel, public Explains, public HasTaskHead {
 public:
  /// bernoulli (classes 0 and 1) or categorical; throws InvalidInput for other families.
  Protonet(const ProtonetOptions& options, const EpisodicProblem& problem, std::unique_ptr<nn::Network> network,
           Random random);

  /// prototypes [T, C, D], prior [T, C] (log class prior); for explanations features [T, S, D], share [T, S, C].
  Adapted adapt(const Rows& support, const Task& task) const override;
  Distribution predict(const Adapted& adapted, const Rows& query) const override;
  /// Of class 1 against class 0 (bernoulli), or of the likeliest class's score: what would be said without any row
  /// (with the class prior, which depends on the support as a whole), and how each row has moved its class's prototype.
  Explanation explain(const Adapted& adapted, const Rows& query) const override;

  const nn::Network& encoder() const override { return embedding_.network(); }
  std::vector<Tensor> encoder_parameters() const override { return embedding_.values(); }
  std::unique_ptr<TaskHead> task_head() const override;

  std::vector<Parameter> parameters() const override;
  int64_t state_size() const override { return classes_ * (embedding_.size() + 1); }

 private:
  Tensor scores(const Adapted& adapted, const Tensor& features) const;  // [T, Q, C]
  Tensor prior_prototypes() const;                                      // [C, D]

  ProtonetOptions options_;
  Family family_;
  int64_t classes_;
  at::ScalarType type_;
  Embedding embedding_;
  Tensor prototypes_;    // [C, D], or [1, D] where classes are a task's own
  Tensor log_strength_;  // [] log kappa
  Tensor log_scale_;     // []
  Tensor log_counts_;    // [C] or [1]: log alpha
  Tensor frequency_;     // [] gamma
};

std::unique_ptr<EpisodicModel> make_protonet(const nlohmann::json& options, const nlohmann::json& encoder,
                                             const EpisodicProblem& problem, Random random);

}  // namespace fewshop::learning
