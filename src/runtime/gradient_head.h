#pragma once

#include <vector>

#include "runtime/head_link.h"
#include "runtime/step_table.h"
#include "runtime/task_head.h"

namespace fewshop {

/// The head of the learner `maml` with adapts = "head" (docs/learners/maml.md): gradient steps on feature vectors of a
/// network that does not adapt.
///
///   W_0 initial,   W_{j+1} = W_j - rate_j * coordinate * grad mean over rows of l(y, offset + scale W_j [x, 1])
///   link = offset + scale W_J [x, 1]
class GradientHead final : public TaskHead {
 public:
  struct Arrays {
    HeadLink link;
    int32_t size = 0;               // D
    double scale = 1;               // gaussian: of a target, in units of which W answers; else 1
    std::vector<float> weights;     // [O, D + 1] initial, the last column is the bias
    StepTable steps;                // parts: weights, bias
    std::vector<float> coordinate;  // [O, D + 1], or empty = all 1
  };
  /// Throws InvalidInput where sizes disagree.
  explicit GradientHead(Arrays arrays);

  std::string_view kind() const override { return "gradient-head"; }
  int32_t feature_size() const override { return a_.size; }
  std::unique_ptr<Workspace> workspace() const override;
  void adapt(const HeadSupport& support, std::span<const ColumnView> description, Workspace& workspace) const override;
  void predict(const Workspace& workspace, std::span<const float> x, float offset, Predictive& out) const override;
  /// The prior is the answer of the initial head. A row has what is linear in its residual (gaussian), else its own
  /// gradients of all steps.
  double explain(const Workspace& workspace, std::span<const float> x, float offset, int output,
                 std::span<double> contribution) const override;
  void save(TensorFile& file, const std::string& prefix) const override;
  static std::unique_ptr<TaskHead> load(const TensorFile& file, const std::string& prefix);

  const Arrays& arrays() const { return a_; }

 private:
  struct State;

  double initial(std::span<const float> x, int output) const;
  void explain_linear(const State& state, std::span<const float> x, std::span<double> contribution) const;
  void explain_steps(const State& state, std::span<const float> x, int output, std::span<double> contribution) const;

  Arrays a_;
};

}  // namespace fewshop
