#pragma once

#include <memory>

#include "learner/episodic_member.h"
#include "learner/row_network_inputs.h"
#include "runtime/row_member.h"
#include "runtime/target_scale.h"

namespace fewshop::learning {

/// An episodic learner of a problem that asks about rows that has no plain-array form: answers through libtorch, one
/// task at a time (as EpisodicMember for items).
class EpisodicRowMember final : public RowMember {
 public:
  EpisodicRowMember(EpisodicRecipe recipe, std::shared_ptr<EpisodicModel> model, RowNetworkInputs inputs,
                    TargetScale scale);
  static std::unique_ptr<RowMember> load(const TensorFile& file);

  std::string_view name() const override { return recipe_.learner; }
  std::unique_ptr<Workspace> workspace() const override;
  void adapt(const RowTask& task, Workspace& workspace) const override;
  void predict(const Workspace& workspace, const RowInput& row, Predictive& out) const override;
  double explain(const Workspace& workspace, const RowInput& row, int32_t label,
                 std::span<double> contribution) const override;
  nlohmann::json facts() const override;
  void save(TensorFile& file) const override;

 private:
  Rows rows_of(std::span<const RowInput> rows, const DescriptionRows& description,
               RowNetworkInputs::Served& served) const;

  EpisodicRecipe recipe_;
  std::shared_ptr<EpisodicModel> model_;
  RowNetworkInputs inputs_;
  TargetScale scale_;
};

}  // namespace fewshop::learning
