#include "learner/episodic_row_member.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <algorithm>

#include "core/error.h"
#include "learner/network_fields.h"
#include "learner/one_thread.h"
#include "learner/to_predictive.h"
#include "runtime/member_support.h"

namespace fewshop::learning {
namespace {

using nlohmann::json;

struct RowWorkspace final : Workspace {
  ServedDescription description;
  RowNetworkInputs::Served support;
  Adapted adapted;
};

}  // namespace

EpisodicRowMember::EpisodicRowMember(EpisodicRecipe recipe, std::shared_ptr<EpisodicModel> model,
                                     RowNetworkInputs inputs, TargetScale scale)
    : recipe_(std::move(recipe)), model_(std::move(model)), inputs_(std::move(inputs)), scale_(scale) {}

std::unique_ptr<Workspace> EpisodicRowMember::workspace() const { return std::make_unique<RowWorkspace>(); }

Rows EpisodicRowMember::rows_of(std::span<const RowInput> rows, const DescriptionRows& description,
                                RowNetworkInputs::Served& served) const {
  const auto n = static_cast<int64_t>(rows.size());
  served = inputs_.input(rows, description);
  Rows out;
  out.x = served.x;
  out.item = at::zeros({1, n}, at::kLong);
  out.mask = at::ones({1, n}, at::kFloat);
  out.weight = at::ones({1, n}, at::kFloat);
  out.kind = at::zeros({1, n}, at::kLong);
  out.age = at::zeros({1, n}, at::kFloat);
  out.offset = at::full({1, n}, scale_.offset, at::kFloat);
  return out;
}

void EpisodicRowMember::adapt(const RowTask& task, Workspace& workspace) const {
  one_thread();
  at::NoGradGuard no_grad;
  auto& w = static_cast<RowWorkspace&>(workspace);
  w.description = served_description(inputs_.parts().description, task.description);
  std::vector<RowInput> inputs;
  for (const auto& row : task.support) inputs.push_back(row.input);
  Rows support = rows_of(inputs, w.description.rows, w.support);
  support.target = at::empty_like(support.mask);
  for (size_t s = 0; s < inputs.size(); ++s) {
    support.target.data_ptr<float>()[s] = scale_.learnt(task.support[s].target);
    support.weight.data_ptr<float>()[s] = task.support[s].weight;
    support.age.data_ptr<float>()[s] = task.support[s].age;
  }
  w.adapted = model_->adapt(support, w.description.task());
}

void EpisodicRowMember::predict(const Workspace& workspace, const RowInput& row, Predictive& out) const {
  one_thread();
  at::NoGradGuard no_grad;
  const auto& w = static_cast<const RowWorkspace&>(workspace);
  RowNetworkInputs::Served served;
  out = to_predictive(model_->predict(w.adapted, rows_of({&row, 1}, w.description.rows, served)), 0);
  scale_.restore(out);
}

double EpisodicRowMember::explain(const Workspace& workspace, const RowInput& row, int32_t label,
                                  std::span<double> contribution) const {
  const auto& w = static_cast<const RowWorkspace&>(workspace);
  std::fill(contribution.begin(), contribution.end(), 0);
  Predictive predicted;
  predict(workspace, row, predicted);
  double prior = link(predicted.family, level(predicted, label));
  const auto* explains = dynamic_cast<const Explains*>(model_.get());
  if (!explains || predicted.family == Family::kCategorical) return prior;
  at::NoGradGuard no_grad;
  RowNetworkInputs::Served served;
  const Tensor evidence = explains->explain(w.adapted, rows_of({&row, 1}, w.description.rows, served))
                              .evidence.to(at::kDouble)
                              .contiguous();
  for (size_t s = 0; s < contribution.size(); ++s) {
    contribution[s] = scale_.restore_difference(evidence.data_ptr<double>()[s]);
    prior -= contribution[s];
  }
  return prior;
}

json EpisodicRowMember::facts() const { return {{"state_size", model_->state_size()}, {"runtime_form", false}}; }

void EpisodicRowMember::save(TensorFile& file) const {
  file.put_text("kind", "episodic");
  file.put_text("recipe", recipe_to_json(recipe_).dump());
  put_parameters(file, *model_);
  const auto& parts = inputs_.parts();
  file.put_text("inputs", json({{"own", fields_to_json(parts.own)},
                                {"description", fields_to_json(parts.description)},
                                {"identity", parts.identity}})
                              .dump());
  file.put("known", parts.known);
  file.put("scale", std::vector<double>{scale_.center, scale_.deviation, scale_.offset});
}

std::unique_ptr<RowMember> EpisodicRowMember::load(const TensorFile& file) {
  try {
    const EpisodicRecipe recipe = recipe_from_json(json::parse(file.text("recipe")));
    std::shared_ptr<EpisodicModel> model =
        make_episodic(recipe.learner, recipe.options, recipe.encoder, recipe.problem, Random(0));
    get_parameters(file, *model);
    const json inputs = json::parse(file.text("inputs"));
    const auto scale = file.get<double>("scale");
    require(scale.size() == 3, "member: tensor scale: expected 3 numbers, got ", scale.size(), "; the file is damaged");
    return std::make_unique<EpisodicRowMember>(
        recipe, std::move(model),
        RowNetworkInputs({fields_from_json(inputs.at("own")), fields_from_json(inputs.at("description")),
                          inputs.at("identity").get<bool>(), file.get<uint8_t>("known")}),
        TargetScale{scale[0], scale[1], static_cast<float>(scale[2])});
  } catch (const json::exception& e) {
    throw InvalidInput(std::string("member: the recipe of an episodic learner is damaged: ") + e.what());
  }
}

}  // namespace fewshop::learning
