#include "learner/episodic_member.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <algorithm>
#include <numeric>

#include "core/error.h"
#include "learner/item_inputs_file.h"
#include "learner/network_fields.h"
#include "learner/one_thread.h"
#include "runtime/member_support.h"
#include "runtime/negatives.h"

namespace fewshop::learning {
namespace {

using nlohmann::json;

constexpr int64_t kChunk = 4096;  // items that are scored at a time

struct EpisodicWorkspace final : Workspace {
  ServedDescription description;
  Adapted adapted;
};

EpisodicWorkspace& state_of(Workspace& workspace) { return static_cast<EpisodicWorkspace&>(workspace); }
const EpisodicWorkspace& state_of(const Workspace& workspace) {
  return static_cast<const EpisodicWorkspace&>(workspace);
}

Rows repeated(const Rows& rows, int64_t times) {
  Rows out = rows;
  const auto repeat = [&](const Tensor& t) { return t.defined() ? t.repeat({1, times}) : t; };
  out.row = repeat(rows.row);
  out.item = repeat(rows.item);
  out.target = repeat(rows.target);
  out.mask = repeat(rows.mask);
  out.kind = repeat(rows.kind);
  out.age = repeat(rows.age);
  out.weight = repeat(rows.weight);
  return out;
}

}  // namespace

Rows with_negatives(const Rows& rows, const std::vector<int32_t>& items, int negatives, Random random) {
  const int64_t tasks = rows.item.size(0), size = rows.item.size(1);
  if (size == 0 || items.empty()) return rows;
  Rows out = repeated(rows, 1 + negatives);
  out.item = out.item.contiguous();
  out.target = out.target.clone();
  out.target.narrow(1, size, size * negatives).zero_();
  int64_t* item = out.item.data_ptr<int64_t>();
  for (int64_t t = 0; t < tasks; ++t)
    for (int64_t s = size; s < out.item.size(1); ++s)
      item[t * out.item.size(1) + s] = items[random.below(items.size())];
  return out;
}

json recipe_to_json(const EpisodicRecipe& recipe) {
  return {{"learner", recipe.learner},
          {"options", recipe.options},
          {"encoder", recipe.encoder},
          {"family", static_cast<int>(recipe.problem.family)},
          {"classes", recipe.problem.classes},
          {"target_variance", recipe.problem.target_variance},
          {"known_tasks", recipe.problem.known_tasks},
          {"fields", fields_to_json(recipe.problem.fields)},
          {"description", fields_to_json(recipe.problem.description)}};
}

EpisodicRecipe recipe_from_json(const json& j) {
  EpisodicRecipe recipe;
  recipe.learner = j.at("learner").get<std::string>();
  recipe.options = j.at("options");
  recipe.encoder = j.at("encoder");
  recipe.problem.family = static_cast<Family>(j.at("family").get<int>());
  recipe.problem.classes = j.at("classes").get<int64_t>();
  recipe.problem.target_variance = j.at("target_variance").get<double>();
  recipe.problem.known_tasks = j.at("known_tasks").get<int64_t>();
  recipe.problem.fields = fields_from_json(j.at("fields"));
  recipe.problem.description = fields_from_json(j.at("description"));
  return recipe;
}

void put_parameters(TensorFile& file, const EpisodicModel& model) {
  for (const auto& p : model.parameters()) {
    const Tensor t = p.value.detach().contiguous().to(at::kFloat);
    file.put("parameter." + p.name, std::span<const float>(t.data_ptr<float>(), t.numel()), t.sizes().vec());
  }
}

void get_parameters(const TensorFile& file, EpisodicModel& model) {
  at::NoGradGuard no_grad;
  for (auto& p : model.parameters()) {
    const auto values = file.get<float>("parameter." + p.name);
    require(static_cast<int64_t>(values.size()) == p.value.numel(), "member: parameter ", p.name, " has ",
            values.size(), " numbers, expected ", p.value.numel());
    require_finite(values, "member: parameter " + p.name);
    Tensor value = p.value;
    value.copy_(at::from_blob(const_cast<float*>(values.data()), value.sizes(), at::kFloat));
  }
}

EpisodicMember::EpisodicMember(EpisodicRecipe recipe, std::shared_ptr<EpisodicModel> model, ItemInputs inputs,
                               bool ranking, int negatives)
    : recipe_(std::move(recipe)),
      model_(std::move(model)),
      inputs_(std::move(inputs)),
      ranking_(ranking),
      negatives_(negatives) {}

std::unique_ptr<Workspace> EpisodicMember::workspace() const { return std::make_unique<EpisodicWorkspace>(); }

Rows EpisodicMember::rows_of(std::span<const int32_t> items, const DescriptionRows& description) const {
  const auto n = static_cast<int64_t>(items.size());
  Rows rows;
  rows.item = at::empty({1, n}, at::kLong);
  std::copy(items.begin(), items.end(), rows.item.data_ptr<int64_t>());
  rows.mask = at::ones({1, n}, at::kFloat);
  rows.weight = at::ones({1, n}, at::kFloat);
  rows.kind = at::zeros({1, n}, at::kLong);
  rows.age = at::zeros({1, n}, at::kFloat);
  rows.offset = inputs_.offset(rows.item);
  rows.x = inputs_.input(rows.item, description);
  return rows;
}

void EpisodicMember::adapt(const TaskView& task, Workspace& workspace) const {
  one_thread();
  at::NoGradGuard no_grad;
  EpisodicWorkspace& w = state_of(workspace);
  w.description = served_description(inputs_.parts().description, task.description);
  std::vector<int32_t> items;
  for (const auto& row : task.support) items.push_back(row.item);
  Rows support = rows_of(items, w.description.rows);
  support.target = at::empty_like(support.mask);
  for (size_t s = 0; s < items.size(); ++s) {
    support.target.data_ptr<float>()[s] = task.support[s].target;
    support.weight.data_ptr<float>()[s] = task.support[s].weight;
    support.age.data_ptr<float>()[s] = task.support[s].age;
  }
  if (ranking_) {
    support = with_negatives(support, inputs_.seen(), negatives_, Random(support_seed(task.support)));
    support.offset = inputs_.offset(support.item);
    support.x = inputs_.input(support.item, w.description.rows);
  }
  w.adapted = model_->adapt(support, w.description.task());
}

void EpisodicMember::score(const Workspace& workspace, std::span<const int32_t> items, std::span<float> score,
                           std::span<float> variance) const {
  one_thread();
  at::NoGradGuard no_grad;
  const EpisodicWorkspace& w = state_of(workspace);
  for (size_t begin = 0; begin < items.size(); begin += kChunk) {
    const size_t n = std::min<size_t>(kChunk, items.size() - begin);
    const Distribution d = model_->predict(w.adapted, rows_of(items.subspan(begin, n), w.description.rows));
    const Tensor mean = d.mean().to(at::kFloat).contiguous();
    std::copy_n(mean.data_ptr<float>(), n, score.begin() + begin);
    if (variance.empty()) continue;
    const Tensor spread = d.variance().to(at::kFloat).contiguous();
    std::copy_n(spread.data_ptr<float>(), n, variance.begin() + begin);
  }
}

void EpisodicMember::score_all(const Workspace& workspace, std::span<float> score) const {
  std::vector<int32_t> items(score.size());
  std::iota(items.begin(), items.end(), 0);
  this->score(workspace, items, score, {});
}

double EpisodicMember::explain(const Workspace& workspace, int32_t item, std::span<double> contribution) const {
  const EpisodicWorkspace& w = state_of(workspace);
  std::fill(contribution.begin(), contribution.end(), 0);
  if (const auto* explains = dynamic_cast<const Explains*>(model_.get()); explains && !ranking_) {
    one_thread();
    at::NoGradGuard no_grad;
    const auto explanation = explains->explain(w.adapted, rows_of({&item, 1}, w.description.rows));
    const Tensor evidence = explanation.evidence.to(at::kDouble).contiguous();
    std::copy_n(evidence.data_ptr<double>(), contribution.size(), contribution.begin());
    return explanation.prior.item<double>();
  }
  float value = 0;
  score(workspace, {&item, 1}, {&value, 1}, {});
  return value;
}

void EpisodicMember::add_item(std::span<const ColumnView> features) { inputs_.add_item(features); }

void EpisodicMember::change_item(int32_t item, std::span<const ColumnView>, std::span<const ColumnView> after) {
  inputs_.change_item(item, after);
}

json EpisodicMember::facts() const { return {{"state_size", model_->state_size()}, {"runtime_form", false}}; }

void EpisodicMember::save(TensorFile& file) const {
  file.put_text("kind", "episodic");
  file.put_text("recipe", recipe_to_json(recipe_).dump());
  put_parameters(file, *model_);
  save_item_inputs(file, inputs_);
  put_one<int32_t>(file, "ranking", ranking_);
  put_one<int32_t>(file, "negatives", negatives_);
}

std::unique_ptr<Member> EpisodicMember::load(const TensorFile& file) {
  try {
    const EpisodicRecipe recipe = recipe_from_json(json::parse(file.text("recipe")));
    std::shared_ptr<EpisodicModel> model =
        make_episodic(recipe.learner, recipe.options, recipe.encoder, recipe.problem, Random(0));
    get_parameters(file, *model);
    return std::make_unique<EpisodicMember>(recipe, std::move(model), load_item_inputs(file),
                                            get_one<int32_t>(file, "ranking") != 0,
                                            get_one<int32_t>(file, "negatives"));
  } catch (const json::exception& e) {
    throw InvalidInput(std::string("member: the recipe of an episodic learner is damaged: ") + e.what());
  }
}

}  // namespace fewshop::learning
