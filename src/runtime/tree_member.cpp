#include "runtime/tree_member.h"

#include <algorithm>
#include <cmath>

#include "bundle/tensor_file.h"
#include "core/error.h"

namespace fewshop {

struct TreeMember::State final : Workspace {
  std::span<const ColumnView> description;
  mutable SparseRow row;
  mutable std::vector<float> margin;
};

void TreeModel::predict(std::span<const float> margin, Predictive& out) const {
  out.family = family;
  switch (family) {
    case Family::kBernoulli:
      out.mean = sigmoid(margin[0]);
      return;
    case Family::kCategorical:
    case Family::kOrdinal:
      out.probability.assign(margin.begin(), margin.end());
      softmax(out.probability, out.probability);
      return;
    case Family::kNegativeBinomial:
      out.mean = std::exp(std::clamp(static_cast<double>(margin[0]), -30.0, 30.0));
      out.size = size;
      return;
    default:
      out.mean = centre + scale * margin[0];
      out.variance = variance;
  }
}

void TreeModel::save(TensorFile& file) const {
  file.put_text("family", std::string(family_name(family)));
  file.put_text("trees", json);
  file.put("base", base);
  file.put("item_mean", item_mean);
  file.put("scalars", std::vector<double>{centre, scale, variance, size});
}

TreeModel TreeModel::load(const TensorFile& file) {
  TreeModel model;
  const auto family = family_from_name(file.text("family"));
  require(family.has_value(), "trees: unknown family '", file.text("family"), "'");
  model.family = *family;
  model.json = file.text("trees");
  model.base = file.get<float>("base");
  model.item_mean = file.get<float>("item_mean");
  const auto scalars = file.get<double>("scalars");
  require(scalars.size() == 4 && scalars[1] > 0 && scalars[2] > 0 && scalars[3] > 0,
          "trees: expected 4 scalars, scale, variance and size above 0");
  model.centre = scalars[0];
  model.scale = scalars[1];
  model.variance = scalars[2];
  model.size = scalars[3];
  return model;
}

TreeMember::TreeMember(std::string name, RowInputs inputs, TreeModel model)
    : name_(std::move(name)), inputs_(std::move(inputs)), model_(std::move(model)), trees_(model_.json) {
  require(model_.base.size() == static_cast<size_t>(trees_.outputs()), name_, ": ", model_.base.size(),
          " base margins for ", trees_.outputs(), " outputs");
}

std::unique_ptr<Workspace> TreeMember::workspace() const { return std::make_unique<State>(); }

void TreeMember::adapt(const RowTask& task, Workspace& workspace) const {
  static_cast<State&>(workspace).description = task.description;
}

void TreeMember::flatten(const RowInput& row, std::span<const ColumnView> description, SparseRow& out) const {
  inputs_.flatten(row, description, out);
  if (row.item < 0 || row.item >= static_cast<int32_t>(model_.item_mean.size())) return;
  out.index.push_back(static_cast<int32_t>(inputs_.size()));
  out.value.push_back(model_.item_mean[row.item]);
}

void TreeMember::margins(const SparseRow& row, std::vector<float>& margin) const {
  margin = model_.base;
  trees_.add_margins(row, margin);
}

void TreeMember::predict(const Workspace& workspace, const RowInput& row, Predictive& out) const {
  const auto& state = static_cast<const State&>(workspace);
  flatten(row, state.description, state.row);
  margins(state.row, state.margin);
  model_.predict(state.margin, out);
}

double TreeMember::explain(const Workspace& workspace, const RowInput& row, int32_t label,
                           std::span<double> contribution) const {
  std::fill(contribution.begin(), contribution.end(), 0.0);
  Predictive prediction;
  predict(workspace, row, prediction);
  return link(prediction.family, level(prediction, label));
}

void TreeMember::save(TensorFile& file) const {
  file.put_text("kind", "trees");
  file.put_text("name", name_);
  inputs_.save(file);
  model_.save(file);
}

std::unique_ptr<RowMember> TreeMember::load(const TensorFile& file) {
  return std::make_unique<TreeMember>(file.text("name"), RowInputs::load(file), TreeModel::load(file));
}

}  // namespace fewshop
