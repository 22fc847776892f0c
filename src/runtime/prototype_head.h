#pragma once

#include <vector>

#include "runtime/task_head.h"

namespace fewshop {

/// The head of the learner `protonet` (docs/learners/protonet.md): the nearest class prototype is the likeliest.
///
///   p_c     = (strength m_c + sum over support rows of class c: weight x) / (strength + n_c)
///   score_c = - scale |x - p_c|^2 + frequency log((n_c + count_c) / sum over classes)
class PrototypeHead final : public TaskHead {
 public:
  struct Arrays {
    bool binary = false;             // two classes, one output: the score of 1 less that of 0
    int32_t classes = 0, size = 0;   // C, D
    std::vector<float> prototypes;   // [C, D] m_c
    double strength = 1, scale = 1;  // above 0
    double frequency = 0;
    std::vector<double> count;  // [C], above 0
  };
  /// Throws InvalidInput where sizes disagree.
  explicit PrototypeHead(Arrays arrays);

  std::string_view kind() const override { return "prototype-head"; }
  int32_t feature_size() const override { return a_.size; }
  std::unique_ptr<Workspace> workspace() const override;
  void adapt(const HeadSupport& support, std::span<const ColumnView> description, Workspace& workspace) const override;
  void predict(const Workspace& workspace, std::span<const float> x, float offset, Predictive& out) const override;
  /// What is said without any row (the class prior included), and how each row moves its class's prototype.
  double explain(const Workspace& workspace, std::span<const float> x, float offset, int output,
                 std::span<double> contribution) const override;
  void save(TensorFile& file, const std::string& prefix) const override;
  static std::unique_ptr<TaskHead> load(const TensorFile& file, const std::string& prefix);

  const Arrays& arrays() const { return a_; }

 private:
  Arrays a_;
};

}  // namespace fewshop
