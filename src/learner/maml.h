#pragma once

#include <memory>

#include "learner/fast_part.h"
#include "learner/gradient_model.h"
#include "learner/maml_options.h"
#include "learner/step_sizes.h"
#include "nn/dense_inner_loop.h"

namespace fewshop::learning {

// Axes: T tasks, S support rows, Q query rows, O outputs, D features.

/// Model-agnostic meta-learning: initial weights from which a few gradient steps on the support rows lead to good
/// predictions of the query rows. docs/learners/maml.md has formulas and options.
///
///   theta_0 = theta (shared),   theta_{j+1} = theta_j - alpha_j * grad mean over support rows of l(y, f(x; theta_j))
///
/// Finn, Abbeel, Levine. "Model-agnostic meta-learning for fast adaptation of deep networks." ICML 2017. adapts = head:
/// Raghu, Raghu, Bengio, Vinyals. "Rapid learning or feature reuse?" (ANIL) ICLR 2020; body: Oh, Yoo, Kim, Yun. "BOIL."
/// ICLR 2021; decision: Lee, Im, Jang, Cho, Chung. "MeLU." KDD 2019.
class Maml : public GradientModel, public Explains {
 public:
  Maml(const MamlOptions& options, const nlohmann::json& encoder, const EpisodicProblem& problem, const Random& random);

  /// "fast.<i>" [T, ...]: the adapted weights. What explain() needs stands beside them: "support.*" and, where more
  /// than the head adapts, "before.<i>", the weights before the last step.
  Adapted adapt(const Rows& support, const Task& task) const override;
  Tensor query_loss(const Batch& batch, const Random& random) const override;

  /// The value before the link function; of classes that of the most likely one. Where only the head adapts, the prior
  /// is the answer of the initial head, and every support row has the part of all steps that is due to it: for numbers
  /// as targets what is linear in its residual, else its own gradients. Where more adapts, a row has its part of the
  /// last step, to first order, and all before it counts as prior.
  Explanation explain(const Adapted& adapted, const Rows& query) const override;

  int64_t state_size() const override { return part_.size(); }

 protected:
  /// `most_steps`: how many steps new tasks may be chosen to take.
  Maml(const MamlOptions& options, int most_steps, const nlohmann::json& encoder, const EpisodicProblem& problem,
       const Random& random);

  using Watch = std::function<void(int step, std::span<const Tensor> values, std::span<const Tensor> gradients)>;

  Tensor output(const Adapted& adapted, const Rows& rows) const override;

  /// The weights of the network that all tasks begin with.
  std::vector<Tensor> initial() const;
  /// All weights after the steps: adapted ones with a task axis. `shares` [T, S] of a step: what each row counts in it.
  std::vector<Tensor> adapted_weights(const Rows& support, const FastPart::Fixed& rows,
                                      const std::function<Tensor(int step)>& shares, const Watch& watch) const;

  const MamlOptions& options() const { return options_; }
  const FastPart& part() const { return part_; }
  const StepSizes& step_sizes() const { return step_sizes_; }

  /// Whether plain dense layers are all that adapts: their inner loop is one node (nn/dense_inner_loop.h), the same
  /// numbers without a recorded graph.
  virtual bool is_dense() const;

 private:
  Tensor outer_loss(const Tensor& raw_output, const Rows& query) const;

  // Where is_dense() (maml_dense.cpp): the query loss; the weights that adapt after all steps and before the last one.
  struct Dense {
    nn::DenseInnerLoop loop;
    nn::DenseParameters parameters;
  };
  struct DenseSteps {
    std::vector<Tensor> after, before;
  };
  std::vector<size_t> dense_layers() const;
  Tensor dense_input(std::span<const Tensor> shared, const Rows& rows) const;
  nn::DenseRows dense_rows(std::span<const Tensor> shared, const Rows& rows) const;
  Dense dense(std::span<const Tensor> shared, const Tensor& support_mask) const;
  Tensor dense_query_loss(const Batch& batch) const;
  std::vector<Tensor> adapting_of(const std::vector<Tensor>& layers) const;
  DenseSteps dense_adapted(const Rows& support) const;

  // Evidence of support rows, for the output `chosen` [T, Q]: [T, Q, S].
  Tensor linear_evidence(const Adapted& adapted, const Tensor& features) const;
  Tensor head_evidence(const Adapted& adapted, const Tensor& features, const Tensor& chosen) const;
  Tensor last_step_evidence(const Adapted& adapted, const Rows& query, const Tensor& chosen) const;

  MamlOptions options_;
  FastPart part_;
  StepSizes step_sizes_;
};

std::unique_ptr<EpisodicModel> make_maml(const nlohmann::json& options, const nlohmann::json& encoder,
                                         const EpisodicProblem& problem, Random random);

}  // namespace fewshop::learning
