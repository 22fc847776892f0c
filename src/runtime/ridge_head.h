#pragma once

#include <vector>

#include "runtime/head_link.h"
#include "runtime/task_head.h"

namespace fewshop {

/// The head of the learner `ridge` (docs/learners/ridge.md): ridge regression on feature vectors, in closed form.
///
///   z = (x, constant)       W = (Z^T V Z + penalty I)^-1 Z^T V Y       link = offset + bias + scale z W
///
/// Y as in learner/ridge.h. One factorisation serves all classes.
class RidgeHead final : public TaskHead {
 public:
  struct Arrays {
    HeadLink link;
    int32_t size = 0;    // D
    float constant = 0;  // 0 = there is none
    double penalty = 1;  // above 0
    double scale = 1;
    std::vector<double> bias;  // [outputs]
  };
  /// Throws InvalidInput where sizes disagree.
  explicit RidgeHead(Arrays arrays);

  std::string_view kind() const override { return "ridge-head"; }
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
  int32_t inputs() const { return a_.size + (a_.constant != 0 ? 1 : 0); }  // D'
  float target(const HeadSupport& support, size_t row, int32_t output) const;

  Arrays a_;
};

}  // namespace fewshop
