#pragma once

#include <mutex>

#include "learner/head_prior.h"
#include "learner/multitask_options.h"
#include "learner/network_model.h"

namespace fewshop::learning {

/// Multi-task learning with hard parameter sharing: one network for all tasks up to its features, and a head for every
/// training task.
///
///   f_t(x) = phi_theta(x) . w_t,   w_t = m + delta_t          (phi holds a constant 1)
///   min over theta, m, delta of  mean over tasks of  1/n_t (sum over rows of -log p + shrinkage/2 |delta_t|^2)
///
/// A task that training has not seen starts from the Gaussian N(mean, spread * covariance) that fits the trained heads,
/// and gets the head that its support makes most probable under it (head_prior.h; Gaussian targets: one solve).
/// `spread` is what candidates() lists. State of a task: its head.
/// Caruana. "Multitask Learning." Machine Learning 28, 1997.
class Multitask final : public NetworkModel {
 public:
  /// Throws InvalidInput where the problem knows no training tasks.
  Multitask(const MultitaskOptions& options, const nlohmann::json& encoder, const EpisodicProblem& problem,
            const Random& random);

  /// "head" [T, O, D + 1]; a known task (Task::known) has its trained one.
  Adapted adapt(const Rows& support, const Task& task) const override;
  /// Loss of support and query rows alike; throws InvalidInput unless all tasks are known.
  Tensor query_loss(const Batch& batch, const Random& random) const override;
  std::vector<nlohmann::json> candidates() const override;
  void choose(const nlohmann::json& candidate) override;
  int64_t state_size() const override { return delta_.numel() / delta_.size(0); }

 protected:
  Tensor output(const Adapted& adapted, const Rows& rows) const override;

 private:
  Tensor features(const Rows& rows) const;        // [T, S, D + 1]
  Tensor mean_head() const;                       // [O, D + 1]
  Tensor known_heads(const Tensor& known) const;  // [T, O, D + 1]
  HeadPrior prior() const;

  MultitaskOptions options_;
  Tensor delta_;   // [N, O, D + 1]
  Tensor spread_;  // []

  // The Gaussian of new tasks as of some state of the parameters.
  mutable std::mutex mutex_;
  mutable HeadPrior prior_;
  mutable std::vector<int64_t> prior_version_;
};

std::unique_ptr<EpisodicModel> make_multitask(const nlohmann::json& options, const nlohmann::json& encoder,
                                              const EpisodicProblem& problem, Random random);

}  // namespace fewshop::learning
