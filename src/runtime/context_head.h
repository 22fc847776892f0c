#pragma once

#include <vector>

#include "runtime/head_link.h"
#include "runtime/step_table.h"
#include "runtime/task_head.h"

namespace fewshop {

/// The adapting part of the learner `cavia` (docs/learners/cavia.md): a context of K numbers, moved by gradient steps.
///
///   c_0 = 0,   c_{j+1} = c_j - rate_j * coordinate * grad mean over rows of l(y, offset + scale f(x, c_j))
///
///   concatenated     f: dense layers on x with an activation between them; the first one's bias is b + V c
///   multiplicative   f: one linear layer on x * (g + G c) + B c
class ContextHead final : public TaskHead {
 public:
  struct Layer {
    int32_t inputs = 0, outputs = 0;
    std::vector<float> weight;  // [outputs, inputs]
    std::vector<float> bias;    // [outputs]
  };
  struct Arrays {
    HeadLink link;
    double scale = 1;  // gaussian: of a target, in units of which f answers; else 1
    bool multiplicative = false;
    bool smooth = false;            // tanh between layers; else ReLU
    std::vector<Layer> layers;      // at least two concatenated, one multiplicative
    int32_t context = 0;            // K
    std::vector<float> weight;      // V [first outputs, K], or G [inputs, K]
    std::vector<float> gain;        // multiplicative: g [inputs]
    std::vector<float> shift;       // multiplicative: B [inputs, K]
    StepTable steps;                // one part
    std::vector<float> coordinate;  // [K], or empty = all 1
  };
  /// Throws InvalidInput where sizes disagree.
  explicit ContextHead(Arrays arrays);

  std::string_view kind() const override { return "context-head"; }
  int32_t feature_size() const override { return a_.layers.front().inputs; }
  std::unique_ptr<Workspace> workspace() const override;
  void adapt(const HeadSupport& support, std::span<const ColumnView> description, Workspace& workspace) const override;
  void predict(const Workspace& workspace, std::span<const float> x, float offset, Predictive& out) const override;
  /// A row has what it moved the context by, times how the answer depends on the context; the rest is prior.
  double explain(const Workspace& workspace, std::span<const float> x, float offset, int output,
                 std::span<double> contribution) const override;
  void save(TensorFile& file, const std::string& prefix) const override;
  static std::unique_ptr<TaskHead> load(const TensorFile& file, const std::string& prefix);

  /// The adapted context [K].
  std::span<const float> context(const Workspace& workspace) const;

  const Arrays& arrays() const { return a_; }

 private:
  struct State;

  void place_context(State& state) const;
  void answer(const State& state, const float* x) const;
  void outputs_of(const State& state, const float* first, const float* x) const;
  void pull_back(const State& state, const float* slope) const;

  Arrays a_;
};

}  // namespace fewshop
