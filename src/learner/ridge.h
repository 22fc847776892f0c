#pragma once

#include <memory>
#include <nlohmann/json.hpp>

#include "learner/embedding.h"
#include "learner/episodic_model.h"
#include "learner/ridge_options.h"

namespace fewshop::learning {

/// Ridge regression on learned features, solved in closed form and trained through the solve.
///
///   z = (phi, c)                                    features and a learned constant
///   W = (Z^T V Z + lambda I)^-1 Z^T V Y             V = weights of the rows; in the rows or in the weights, whichever
///   output = offset + bias + scale z_q W            are fewer
///
/// Y: regression the target behind offset and bias; binary +1 and -1; multiclass likewise, one column per class (one
/// against the rest); ordinal the class number around the middle; counts log(1 + y) behind the offset. lambda, c,
/// scale, bias and what the likelihood needs (noise, thresholds, dispersion) are learned; regression has no scale.
///
/// Bertinetto, Henriques, Torr, Vedaldi. "Meta-learning with differentiable closed-form solvers" (R2D2). ICLR 2019.
class Ridge : public EpisodicModel, public Explains, public HasTaskHead {
 public:
  /// All families but scores; throws InvalidInput for those.
  Ridge(const RidgeOptions& options, const EpisodicProblem& problem, std::unique_ptr<nn::Network> network,
        Random random);

  /// weights [T, D', O]; for explanations rows [T, S, D'] (root of the weight times z) and targets [T, S, O]
  /// (likewise).
  Adapted adapt(const Rows& support, const Task& task) const override;
  Distribution predict(const Adapted& adapted, const Rows& query) const override;
  /// Of the output (multiclass: of the likeliest class's).
  Explanation explain(const Adapted& adapted, const Rows& query) const override;

  const nn::Network& encoder() const override { return embedding_.network(); }
  std::vector<Tensor> encoder_parameters() const override { return embedding_.values(); }
  std::unique_ptr<TaskHead> task_head() const override;

  std::vector<Parameter> parameters() const override;
  int64_t state_size() const override {
    return likelihood_.outputs() * (embedding_.size() + (options_.constant ? 1 : 0));
  }

 private:
  Tensor inputs(const nn::NetworkInput& x) const;  // z [T, S, D']
  Tensor targets(const Rows& support) const;       // Y [T, S, O]
  Tensor base(const Rows& rows) const;             // offset + bias [T, Q, O]
  Tensor scale() const;                            // []
  std::vector<Tensor> beside() const;

  RidgeOptions options_;
  Likelihood likelihood_;
  at::ScalarType type_;
  Embedding embedding_;
  Tensor log_penalty_;                                  // [] log lambda
  Tensor constant_;                                     // [] c
  Tensor log_scale_;                                    // []
  Tensor bias_;                                         // [O], or [1] where classes are a task's own
  std::vector<std::pair<std::string, Tensor>> beside_;  // of the likelihood
};

std::unique_ptr<EpisodicModel> make_ridge(const nlohmann::json& options, const nlohmann::json& encoder,
                                          const EpisodicProblem& problem, Random random);

}  // namespace fewshop::learning
