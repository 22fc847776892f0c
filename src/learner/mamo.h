#pragma once

#include "learner/fast_part.h"
#include "learner/mamo_options.h"
#include "learner/network_model.h"

namespace fewshop::learning {

/// Memory-augmented meta-optimization: like tasks start alike. K memory slots; task u with a profile vector p_u, made
/// of what describes it:
///
///   attention         a_u = softmax over slots of  e^sharpness cos(p_u, M_P[k])                           M_P [K, d]
///   personal start    w_u = w - a_u^T M_U             of the weights that adapt                           M_U [K, P]
///   personal mixing   C_u = I + a_u^T M_UI            of features, in front of the head: f = head(C_u phi)   [K, D, D]
///   inner loop        (w_u, C_u) <- (w_u, C_u) - rate d/d(w_u, C_u) mean support loss, `steps` times
///
/// The outer loop trains w, the profile map, the rate and the memories by the loss of query rows. The paper writes its
/// memories by moving averages, M[k] <- (1 - c) M[k] + c a_u[k] (p_u, the support gradient g_u, C_u after the inner
/// loop), user after user. Here they are parameters: the outer gradient writes them, which gives the same bytes however
/// many threads share the tasks. With `write` > 0 the outer loss holds those targets as well,
///
///   write * mean over tasks of  sum over k of a_u[k] (|M_P[k] - p_u|^2 / d + |M_U[k] - rate g_u|^2 + |M_UI[k] - C_u +
///   I|^2)
///
/// (a_u, p_u, g_u, C_u constants), whose gradient step is that moving average but for one thing: a slot forgets only as
/// much as it takes up, where the paper's shrinks every slot by every user. State of a task: w_u and C_u.
///
/// Dong, Yuan, Yao, Xu, Zhu. "MAMO: Memory-Augmented Meta-Optimization for Cold-start Recommendation." KDD 2020.
/// Departures: memories as parameters; M_U moves the dense layers instead of the user embedding; C_u starts at the
/// identity and stands in front of the head instead of the first layer, so that every encoder has it; the rate is
/// learned.
class Mamo final : public NetworkModel {
 public:
  /// Throws InvalidInput where nothing describes a task.
  Mamo(const MamoOptions& options, const nlohmann::json& encoder, const EpisodicProblem& problem, const Random& random);

  Adapted adapt(const Rows& support, const Task& task) const override;
  Tensor query_loss(const Batch& batch, const Random& random) const override;
  int64_t state_size() const override;

 protected:
  Tensor output(const Adapted& adapted, const Rows& rows) const override;

 private:
  /// Where a task stands before its support is looked at.
  struct Start {
    Tensor profile, attention;  // [T, d], [T, K]
    std::vector<Tensor> fast;   // weights that adapt, and C [T, D, D] behind them
  };
  Start start(const Task& task) const;
  std::vector<Tensor> adapted_weights(const Start& start, const Rows& support) const;
  Tensor output_of(std::span<const Tensor> fast, const FastPart::Fixed& rows) const;
  Tensor write_loss(const Start& start, const Rows& support, std::span<const Tensor> adapted) const;

  MamoOptions options_;
  FastPart part_;
  std::unique_ptr<const nn::Network> profile_;
  std::vector<Tensor> profile_weights_;
  Tensor keys_, start_memory_, mixing_memory_;  // M_P [K, d], M_U [K, P], M_UI [K, D, D]
  Tensor sharpness_, log_rate_;                 // []
};

std::unique_ptr<EpisodicModel> make_mamo(const nlohmann::json& options, const nlohmann::json& encoder,
                                         const EpisodicProblem& problem, Random random);

}  // namespace fewshop::learning
