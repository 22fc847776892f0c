#pragma once

#include "learner/coordinate_lstm.h"
#include "learner/fast_part.h"
#include "learner/learned_optimizer_options.h"
#include "learner/network_model.h"

namespace fewshop::learning {

/// Gradient descent whose update rule is learned, and the weights it starts from with it.
///
///   w_0 = theta,  w_{j+1} = w_j + u_j,  (u_j, s_{j+1}) = m(grad_w L_support(w_j), s_j; phi)
///
/// m is a small LSTM that every coordinate has to itself, with the same weights phi (coordinate_lstm.h).
///
/// Outer loss: with windows of `truncation` steps that begin at 0 = b_1 < b_2 < ... < b_W,
///
///   L(theta, phi) = 1/W  sum over v of  L_query(w at the end of window v),   w and s at b_v constants for v > 1
///
/// (b_1: w_0 = theta, so the start is trained by the first window). With `order` 1 the support gradients are constants,
/// too, as in the paper; the shared weights that do not adapt are trained by the query loss of every window.
/// State of a task: the weights that adapt.
///
/// Andrychowicz et al. "Learning to learn by gradient descent by gradient descent." NeurIPS 2016. Departures: steps of
/// bounded size; theta is learned; the loss is that of query rows, at the ends of windows instead of after every step.
class LearnedOptimizer final : public NetworkModel {
 public:
  LearnedOptimizer(const LearnedOptimizerOptions& options, const nlohmann::json& encoder,
                   const EpisodicProblem& problem, const Random& random);

  Adapted adapt(const Rows& support, const Task& task) const override;
  Tensor query_loss(const Batch& batch, const Random& random) const override;
  /// {"steps"}: as many as in training, half, twice.
  std::vector<nlohmann::json> candidates() const override;
  void choose(const nlohmann::json& candidate) override;
  int64_t state_size() const override { return part_.size(); }

 protected:
  Tensor output(const Adapted& adapted, const Rows& rows) const override;

 private:
  struct Unroll {
    std::vector<Tensor> fast;     // [T, ...]
    CoordinateLstm::State state;  // n = T * part_.size()
  };
  Unroll start(int64_t tasks) const;
  void advance(Unroll& unroll, const Rows& support, const FastPart::Fixed& rows, int steps) const;
  Tensor support_gradient(std::span<const Tensor> fast, const Rows& support, const FastPart::Fixed& rows) const;

  LearnedOptimizerOptions options_;
  FastPart part_;
  CoordinateLstm rule_;
  Tensor steps_;  // [] of new tasks
};

std::unique_ptr<EpisodicModel> make_learned_optimizer(const nlohmann::json& options, const nlohmann::json& encoder,
                                                      const EpisodicProblem& problem, Random random);

}  // namespace fewshop::learning
