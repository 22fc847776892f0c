#pragma once

#include <memory>
#include <string>

#include "runtime/encoded_inputs.h"
#include "runtime/row_member.h"
#include "runtime/target_scale.h"
#include "runtime/task_head.h"

namespace fewshop {

/// An episodic learner of a problem that asks about rows at serving time: rows and the task's description go through a
/// trained network that does not adapt, a head adapts to the features of the support rows (as EncodedMember for items).
class EncodedRowMember final : public RowMember {
 public:
  /// `learner` is the name in reports, `state_size` how many numbers the head keeps of a task. Throws InvalidInput
  /// where sizes disagree.
  EncodedRowMember(std::string learner, EncodedInputs inputs, std::unique_ptr<TaskHead> head, TargetScale scale,
                   int64_t state_size);
  static std::unique_ptr<RowMember> load(const TensorFile& file);

  std::string_view name() const override { return learner_; }
  std::unique_ptr<Workspace> workspace() const override;
  void adapt(const RowTask& task, Workspace& workspace) const override;
  void predict(const Workspace& workspace, const RowInput& row, Predictive& out) const override;
  double explain(const Workspace& workspace, const RowInput& row, int32_t label,
                 std::span<double> contribution) const override;
  nlohmann::json facts() const override { return {{"state_size", state_size_}}; }
  void save(TensorFile& file) const override;

 private:
  struct State;
  std::span<const float> features(const State& state, const RowInput& row) const;

  std::string learner_;
  EncodedInputs inputs_;
  std::unique_ptr<TaskHead> head_;
  TargetScale scale_;
  int64_t state_size_;
};

}  // namespace fewshop
