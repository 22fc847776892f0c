#pragma once

#include <functional>
#include <span>
#include <vector>

#include "learner/cavia_options.h"
#include "learner/gradient_model.h"

namespace fewshop::learning {

// Axes: T tasks, S support rows, Q query rows, K numbers of the context, D features.

/// Only a small context vector adapts; the network around it is shared by all tasks.
///
///   c_0 = 0,   c_{j+1} = c_j - alpha_j * grad mean over support rows of l(y, f(x, c_j))
///
///   concatenated     the first dense layer reads [x, c]: its bias is b + V c
///   multiplicative   the head reads features * (g + G c) + B c
///
/// Zintgraf, Shiarlis, Kurin, Hofmann, Whiteson. "Fast context adaptation via meta-learning." ICML 2019;
/// multiplicative: Perez, Strub, de Vries, Dumoulin, Courville. "FiLM: visual reasoning with a general conditioning
/// layer." AAAI 2018.
class Cavia final : public GradientModel, public Explains, public HasTaskHead {
 public:
  Cavia(const CaviaOptions& options, const nlohmann::json& encoder, const EpisodicProblem& problem,
        const Random& random);

  /// "context" [T, K], and "contribution" [T, S, K]: what each support row moved it by.
  Adapted adapt(const Rows& support, const Task& task) const override;
  Tensor query_loss(const Batch& batch, const Random& random) const override;

  /// The value before the link function; of classes that of the most likely one. A support row has what it moved the
  /// context by, times how the answer depends on the context; exact for a multiplicative context, whose prior is then
  /// the answer at c = 0, else to first order, with the rest as prior.
  Explanation explain(const Adapted& adapted, const Rows& query) const override;

  int64_t state_size() const override { return options_.context; }

  /// Concatenated: the network without its dense layers, which the head (runtime/context_head.h) takes with it.
  const nn::Network& encoder() const override { return multiplicative_ ? network() : *encoder_; }
  std::vector<Tensor> encoder_parameters() const override;
  nlohmann::json encoder_options(const nlohmann::json& encoder) const override;
  std::unique_ptr<TaskHead> task_head() const override;

 protected:
  Tensor output(const Adapted& adapted, const Rows& rows) const override;

 private:
  /// What stays the same of some rows while the context moves.
  struct Fixed {
    std::vector<Tensor> embedded;  // concatenated
    Tensor features;               // multiplicative
  };
  Fixed fix(const nn::NetworkInput& x) const;
  /// What the network says of rows under contexts [T, K].
  Tensor answer(const Tensor& context, const Fixed& rows) const;
  using Watch = std::function<void(int step, std::span<const Tensor> values, std::span<const Tensor> gradients)>;
  Tensor adapted_context(const Rows& support, const Fixed& rows, const Watch& watch) const;

  CaviaOptions options_;
  bool multiplicative_;
  size_t bias_ = 0;       // concatenated: position of the first dense layer's bias
  Tensor weight_;         // V [H, K] or G [D, K]
  Tensor scale_, shift_;  // multiplicative: g [D], B [D, K]
  StepSizes step_sizes_;
  std::unique_ptr<const nn::Network> encoder_;  // concatenated
};

std::unique_ptr<EpisodicModel> make_cavia(const nlohmann::json& options, const nlohmann::json& encoder,
                                          const EpisodicProblem& problem, Random random);

}  // namespace fewshop::learning
