#include "learner/episodic_row_learner.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <cmath>
#include <unordered_map>

#include "core/error.h"
#include "learner/encoded_parts.h"
#include "learner/episodic_fit.h"
#include "learner/episodic_row_member.h"
#include "runtime/encoded_row_member.h"

namespace fewshop::learning {
namespace {

using nlohmann::json;

Family family_of(Problem problem) {
  switch (problem) {
    case Problem::kBinary:
      return Family::kBernoulli;
    case Problem::kMulticlass:
      return Family::kCategorical;
    case Problem::kOrdinal:
      return Family::kOrdinal;
    case Problem::kCount:
      return Family::kNegativeBinomial;
    default:
      return Family::kGaussian;
  }
}

TargetScale scale_of(const RowFitInput& input, Family family) {
  double sum = 0, squares = 0, weights = 0;
  for (const auto& task : input.tasks)
    for (const int32_t r : task.rows) {
      const double weight = input.data.weight[r], target = input.data.target[r];
      sum += weight * target;
      squares += weight * target * target;
      weights += weight;
    }
  require(weights > 0, "learner: no training rows are left");
  const double mean = sum / weights;
  return target_scale(family, mean, squares / weights - mean * mean);
}

TaskSet usable(const TaskSet& tasks) {
  TaskSet list;
  for (const auto& task : tasks)
    if (task.rows.size() >= 2) list.push_back(task);
  return list;
}

/// Episodes of rows as batches that an episodic learner reads.
class RowEpisodes {
 public:
  RowEpisodes(const RowFitInput& input, const RowNetworkInputs& inputs, const TargetScale& scale)
      : data_(input.data), inputs_(inputs), scale_(scale) {
    const auto sequences = sequence_columns(input.scenario);
    own_ = std::make_shared<nn::InputTable>(nn::input_table(data_.row_features, sequences));
    items_ = std::make_shared<nn::InputTable>(nn::input_table(data_.item_features, sequences));
    descriptions_ = std::make_shared<nn::InputTable>(nn::input_table(data_.task_features, sequences));
    for (size_t t = 0; t < input.tasks.size(); ++t) known_[input.tasks[t].task] = static_cast<int64_t>(t);
  }

  Batch batch(std::span<const Episode> episodes) const {
    Batch batch = make_batch(data_, episodes);
    for (size_t t = 0; t < episodes.size(); ++t) {
      const auto known = known_.find(episodes[t].task);
      batch.task.known.data_ptr<int64_t>()[t] = known == known_.end() ? -1 : known->second;
    }
    if (!descriptions_->fields.empty()) batch.task.descriptions = descriptions_;
    for (Rows* rows : {&batch.support, &batch.query}) {
      rows->x = input(*rows, batch.task);
      rows->target = (rows->target - scale_.center) / scale_.deviation * rows->mask;
      rows->offset = at::full_like(rows->mask, scale_.offset);
    }
    return batch;
  }

 private:
  nn::NetworkInput input(const Rows& rows, const Task& task) const {
    nn::NetworkInput x;
    if (!own_->fields.empty()) x.parts.push_back({own_, rows.row});
    if (!items_->fields.empty()) x.parts.push_back({items_, rows.item});
    if (!descriptions_->fields.empty())
      x.parts.push_back({descriptions_, task.description.unsqueeze(1).expand_as(rows.row).contiguous()});
    if (inputs_.parts().identity) x.identities.push_back(inputs_.identity(rows.item));
    return x;
  }

  const Dataset& data_;
  const RowNetworkInputs& inputs_;
  TargetScale scale_;
  std::shared_ptr<const nn::InputTable> own_, items_, descriptions_;
  std::unordered_map<int32_t, int64_t> known_;  // task of the dataset -> index among training tasks
};

/// The form that answers without libtorch; null where the learner or its network has none with these options.
std::unique_ptr<RowMember> runtime_form(const EpisodicRecipe& recipe, const EpisodicModel& model,
                                        const RowNetworkInputs& inputs, const TargetScale& scale) {
  auto parts = encoded_parts(recipe, model);
  if (!parts) return nullptr;
  const auto& p = inputs.parts();
  EncodedInputs encoded(std::move(parts->encoder), {static_cast<int32_t>(p.own.size()),
                                                    static_cast<int32_t>(p.description.size()), p.identity, p.known});
  return std::make_unique<EncodedRowMember>(recipe.learner, std::move(encoded), std::move(parts->head), scale,
                                            model.state_size());
}

class EpisodicRowLearner : public RowLearner {
 public:
  EpisodicRowLearner(const std::string& name, const json& options, const json& encoder)
      : split_(split_options(options)), name_(name), encoder_(encoder) {}

  std::string_view name() const override { return name_; }

  std::unique_ptr<RowMember> fit(const RowFitInput& input, const RowMemberLoss& loss, json& chosen,
                                 const Run& run) const override {
    const Family family = family_of(input.scenario.problem);
    const RowNetworkInputs inputs = RowNetworkInputs::fitted(input, split_.outer.identity);
    const TargetScale scale = scale_of(input, family);
    EpisodicRecipe recipe{name_, split_.own, encoder_, {}};
    recipe.problem.family = family;
    recipe.problem.classes = static_cast<int64_t>(input.data.classes.size());
    recipe.problem.fields = inputs.fields();
    recipe.problem.description = inputs.parts().description;
    recipe.problem.known_tasks = static_cast<int64_t>(input.tasks.size());
    const std::shared_ptr<EpisodicModel> model =
        make_episodic(name_, split_.own, encoder_, recipe.problem, Random(run.seed).fork("episodic"));
    const RowEpisodes episodes(input, inputs, scale);
    const auto member = [&]() -> std::unique_ptr<RowMember> {
      if (auto form = runtime_form(recipe, *model, inputs, scale)) return form;
      return std::make_unique<EpisodicRowMember>(recipe, model, inputs, scale);
    };
    EpisodicFit fit{split_.outer, *model, input.data, input.scenario, usable(input.tasks), run, {}, {}};
    fit.batch = [&](std::span<const Episode> drawn, const std::vector<uint8_t>&, const Random&) {
      return episodes.batch(drawn);
    };
    if (loss) fit.validation_loss = [&] { return loss(*member()); };
    chosen = fit_episodic(fit, chosen);
    return member();
  }

 private:
  SplitOptions split_;
  std::string name_;
  json encoder_;
};

}  // namespace

std::unique_ptr<RowLearner> make_episodic_row_learner(const std::string& name, const json& options,
                                                      const json& encoder) {
  return std::make_unique<EpisodicRowLearner>(name, options, encoder);
}

}  // namespace fewshop::learning
