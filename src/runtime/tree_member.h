#pragma once

#include <string>
#include <vector>

#include "runtime/glm.h"
#include "runtime/row_inputs.h"
#include "runtime/row_member.h"
#include "runtime/trees.h"

namespace fewshop {

/// What boosted trees say of a row, as the linear predictor of a generalised linear model (Glm): margin [C] = base +
/// leaves. Ordered classes are taken for unordered ones.
struct TreeModel {
  Family family = Family::kBernoulli;  // kGaussian, kBernoulli, kCategorical, kOrdinal, kNegativeBinomial
  std::string json;                    // XGBoost's own; Trees reads it
  std::vector<float> base;             // [C] margin without trees
  double centre = 0, scale = 1;        // gaussian: targets are centre + scale * margin
  double variance = 1;                 // gaussian: of targets around the prediction
  double size = 1e6;                   // counts
  std::vector<float> item_mean;        // [items] input number P, behind all others: the item's mean target; or empty

  /// The distribution that a margin [C] stands for.
  void predict(std::span<const float> margin, Predictive& out) const;
  void save(TensorFile& file) const;
  /// Throws InvalidInput where sizes disagree.
  static TreeModel load(const TensorFile& file);
};

/// Boosted trees over the rows of all tasks: no adaptation, so all of a prediction is prior.
class TreeMember final : public RowMember {
 public:
  TreeMember(std::string name, RowInputs inputs, TreeModel model);

  std::string_view name() const override { return name_; }
  std::unique_ptr<Workspace> workspace() const override;
  void adapt(const RowTask& task, Workspace& workspace) const override;
  void predict(const Workspace& workspace, const RowInput& row, Predictive& out) const override;
  double explain(const Workspace& workspace, const RowInput& row, int32_t label,
                 std::span<double> contribution) const override;
  void save(TensorFile& file) const override;
  static std::unique_ptr<RowMember> load(const TensorFile& file);

  const RowInputs& inputs() const { return inputs_; }
  const TreeModel& model() const { return model_; }
  /// The flat inputs of a row, its item's mean behind them.
  void flatten(const RowInput& row, std::span<const ColumnView> description, SparseRow& out) const;
  /// margin [C] of such inputs.
  void margins(const SparseRow& row, std::vector<float>& margin) const;

 private:
  struct State;

  std::string name_;
  RowInputs inputs_;
  TreeModel model_;
  Trees trees_;
};

}  // namespace fewshop
