#pragma once

#include <vector>

#include "runtime/head_link.h"
#include "runtime/task_head.h"

namespace fewshop {

/// The head of the learner `bayes` on rows (docs/learners/bayes.md): a linear head under a learned Gaussian prior.
///
///   link_o = offset + x . m_o + b_o + z . (g_o + u_o),   z = F^T (x, 1),  u_o ~ N(0, I),  g = G description
///
/// Gaussian targets have their exact posterior; others a fixed number of Newton steps and the normal distribution
/// around the mode, its variance scaled by `spread` in predictions. The explanation is that of the last step's weighted
/// least squares: the prior and one term per row.
class BayesHead final : public TaskHead {
 public:
  struct Arrays {
    HeadLink link;
    int32_t size = 0;           // D; H = D + 1
    int32_t steps = 8;          // of Newton's method; not used for gaussian
    double spread = 1;          // above 0
    std::vector<float> mean;    // [outputs, D] m
    std::vector<float> bias;    // [outputs] b
    std::vector<float> factor;  // [H, H] F
    std::vector<int32_t> description_inputs{
        0};                                 // first input of each column of the description, and how many there are
    std::vector<float> description_weight;  // [inputs, outputs H] G transposed
  };
  /// Throws InvalidInput where sizes disagree.
  explicit BayesHead(Arrays arrays);

  std::string_view kind() const override { return "bayes-head"; }
  int32_t feature_size() const override { return a_.size; }
  std::unique_ptr<Workspace> workspace() const override;
  void adapt(const HeadSupport& support, std::span<const ColumnView> description, Workspace& workspace) const override;
  void predict(const Workspace& workspace, std::span<const float> x, float offset, Predictive& out) const override;
  double explain(const Workspace& workspace, std::span<const float> x, float offset, int output,
                 std::span<double> contribution) const override;
  void save(TensorFile& file, const std::string& prefix) const override;
  static std::unique_ptr<TaskHead> load(const TensorFile& file, const std::string& prefix);

  const Arrays& arrays() const { return a_; }

 private:
  struct State;
  int32_t head_size() const { return a_.size + 1; }
  void whiten(const float* x, double* z) const;
  double prior_link(const State& state, std::span<const float> x, const double* z, float offset, int output) const;
  void adapt_single(const HeadSupport& support, State& state) const;
  void adapt_classes(const HeadSupport& support, State& state) const;

  Arrays a_;
  std::vector<double> factor_;  // F in double
};

}  // namespace fewshop
