#pragma once

#include <memory>
#include <nlohmann/json.hpp>

#include "learner/bayes_rows_options.h"
#include "learner/description_map.h"
#include "learner/embedding.h"
#include "learner/episodic_model.h"
#include "learner/laplace.h"

namespace fewshop::learning {

/// `bayes` for rows with features and targets of any family: a learned Gaussian prior over a linear head.
///
///   link_o = offset + phi . m_o + b_o + z . w_o     z = F^T (phi, 1),  w_o ~ N(G description, I)
///
/// so the head's prior has mean (m_o, b_o) + F G description and covariance F F^T. The posterior is exact for Gaussian
/// targets, else a fixed number of Newton steps and the normal distribution around the mode (laplace.h), whose variance
/// is scaled by a learned factor when predictions are made of it. All of it is trained through the solve on the
/// likelihood of query rows. Several outputs (one per class) share F.
///
/// Harrison, Sharma, Pavone. "Meta-learning priors for efficient online Bayesian regression" (ALPaCA). WAFR 2018.
class BayesRows : public EpisodicModel, public Explains, public HasTaskHead {
 public:
  /// All families but scores; throws InvalidInput for those.
  BayesRows(const BayesRowsOptions& options, const EpisodicProblem& problem, std::unique_ptr<nn::Network> network,
            Random random);

  /// mean [T, O, H] of w, root [T, S O, O H], evidence [T, S, O] as in LaplacePosterior (the mean without the prior
  /// mean), prior [T, O, H] and, for explanations, z [T, S, H].
  Adapted adapt(const Rows& support, const Task& task) const override;
  /// Counts are negative-binomial also where the likelihood is Poisson: the rate is uncertain.
  Distribution predict(const Adapted& adapted, const Rows& query) const override;
  /// Of the link value (multiclass: of the likeliest class's).
  Explanation explain(const Adapted& adapted, const Rows& query) const override;

  const nn::Network& encoder() const override { return embedding_.network(); }
  std::vector<Tensor> encoder_parameters() const override { return embedding_.values(); }
  std::unique_ptr<TaskHead> task_head() const override;

  std::vector<Parameter> parameters() const override;
  /// Mean and covariance.
  int64_t state_size() const override;

 private:
  int64_t head_size() const { return embedding_.size() + 1; }  // H
  Tensor whitened(const Tensor& features) const;               // z [T, S, H]
  Tensor prior_link(const Adapted& adapted, const Rows& rows, const Tensor& features, const Tensor& z) const;
  std::vector<Tensor> beside() const;

  BayesRowsOptions options_;
  Likelihood likelihood_;
  at::ScalarType type_;
  Embedding embedding_;                                 // its last linear layer is m, b
  DescriptionMap description_;                          // G
  Tensor factor_;                                       // F [H, H]
  Tensor log_spread_;                                   // [] scale of the posterior variance in predictions
  std::vector<std::pair<std::string, Tensor>> beside_;  // of the likelihood
};

/// Outputs of the network whose last layer is the prior mean.
int64_t bayes_rows_outputs(const BayesRowsOptions& options, const EpisodicProblem& problem);

std::unique_ptr<EpisodicModel> make_bayes_rows(const nlohmann::json& options, const nlohmann::json& encoder,
                                               const EpisodicProblem& problem, Random random);

}  // namespace fewshop::learning
