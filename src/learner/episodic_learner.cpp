#include "learner/episodic_learner.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <cmath>
#include <unordered_map>

#include "core/error.h"
#include "core/progress.h"
#include "learner/als_start.h"
#include "learner/encoded_parts.h"
#include "learner/episodic_fit.h"
#include "learner/episodic_member.h"
#include "learner/usable_tasks.h"
#include "runtime/encoded_member.h"

namespace fewshop::learning {
namespace {

using nlohmann::json;

/// Mean squared distance of training targets to the offsets they are learnt on top of.
double residual_variance(const FitInput& input, const ItemInputs& inputs) {
  double squares = 0, weights = 0;
  for (const auto& task : input.tasks)
    for (const int32_t r : task.rows) {
      if (input.is_hidden(input.data.item[r])) continue;
      const double error = input.data.target[r] - inputs.parts().offset[input.data.item[r]];
      squares += input.data.weight[r] * error * error;
      weights += input.data.weight[r];
    }
  return std::max(1e-6, squares / std::max(weights, 1e-12));
}

/// Episodes of a recommender as batches that an episodic learner reads.
class ItemEpisodes {
 public:
  ItemEpisodes(const FitInput& input, const ItemInputs& inputs, int negatives)
      : data_(input.data),
        inputs_(inputs),
        ranking_(input.scenario.problem == Problem::kRanking),
        negatives_(negatives),
        descriptions_(
            std::make_shared<nn::InputTable>(nn::input_table(data_.task_features, sequence_columns(input.scenario)))) {
    for (size_t t = 0; t < input.tasks.size(); ++t) known_[input.tasks[t].task] = static_cast<int64_t>(t);
  }

  Batch batch(std::span<const Episode> episodes, const std::vector<uint8_t>& hidden, const Random& random) const {
    Batch batch = make_batch(data_, episodes);
    for (size_t t = 0; t < episodes.size(); ++t) {
      const auto known = known_.find(episodes[t].task);
      batch.task.known.data_ptr<int64_t>()[t] = known == known_.end() ? -1 : known->second;
    }
    if (ranking_) {
      batch.support = with_negatives(batch.support, inputs_.seen(), negatives_, random.fork("support"));
      batch.query = with_negatives(batch.query, inputs_.seen(), negatives_, random.fork("query"));
    }
    const DescriptionRows description{descriptions_, batch.task.description};
    if (!descriptions_->fields.empty()) batch.task.descriptions = descriptions_;
    for (Rows* rows : {&batch.support, &batch.query}) {
      rows->x = inputs_.input(rows->item, description, &hidden);
      rows->offset = inputs_.offset(rows->item, &hidden);
    }
    return batch;
  }

 private:
  const Dataset& data_;
  const ItemInputs& inputs_;
  bool ranking_;
  int negatives_;
  std::shared_ptr<const nn::InputTable> descriptions_;
  std::unordered_map<int32_t, int64_t> known_;  // task of the dataset -> index among training tasks
};

class ItemLearner : public Learner {
 public:
  ItemLearner(const std::string& name, const json& options, const json& encoder)
      : split_(split_options(options)), name_(name), encoder_(encoder) {}

  std::string_view name() const override { return name_; }

  std::unique_ptr<Member> fit(const FitInput& input, const MemberLoss& loss, json& chosen,
                              const Run& run) const override {
    const EpisodicOptions& options = split_.outer;
    const bool ranking = input.scenario.problem == Problem::kRanking;
    ItemInputs inputs = ItemInputs::fitted(input, options);
    EpisodicRecipe recipe{name_, split_.own, encoder_, {}};
    recipe.problem.family = ranking ? Family::kScores : Family::kGaussian;
    recipe.problem.fields = inputs.fields();
    recipe.problem.description = inputs.parts().description;
    recipe.problem.target_variance = ranking ? 1 : residual_variance(input, inputs);
    recipe.problem.known_tasks = static_cast<int64_t>(input.tasks.size());
    const std::shared_ptr<EpisodicModel> model =
        make_episodic(name_, split_.own, encoder_, recipe.problem, Random(run.seed).fork("episodic"));
    if (options.start == "als") start_embeddings_from_als(input, inputs.seen(), *model);
    const ItemEpisodes episodes(input, inputs, options.negatives);
    const auto member = [&]() -> std::unique_ptr<Member> {
      if (auto form = runtime_form(recipe, *model, inputs, ranking, options.negatives)) return form;
      return std::make_unique<EpisodicMember>(recipe, model, inputs, ranking, options.negatives);
    };
    EpisodicFit fit{options, *model, input.data, input.scenario, usable_tasks(input), run, {}, {}};
    fit.batch = [&](std::span<const Episode> drawn, const std::vector<uint8_t>& hidden, const Random& random) {
      return episodes.batch(drawn, hidden, random);
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

std::unique_ptr<Member> runtime_form(const EpisodicRecipe& recipe, const EpisodicModel& model, const ItemInputs& inputs,
                                     bool ranking, int negatives) {
  const ItemInputs::Parts& p = inputs.parts();
  const Columns& columns = p.items->columns();
  EncodedInputs::Parts reads{static_cast<int32_t>(columns.columns.size()), static_cast<int32_t>(p.description.size()),
                             p.identity, p.identity ? p.known : std::vector<uint8_t>{}};
  auto halves = encoded_parts(recipe, model);
  if (!halves) {
    halves = stored_parts(recipe, model, inputs);
    reads = {0, 0, true, std::vector<uint8_t>(p.known.size(), 1)};
  }
  if (!halves) return nullptr;
  EncodedInputs encoded(std::move(halves->encoder), std::move(reads));
  EncodedMember::Parts parts;
  parts.learner = recipe.learner;
  parts.state_size = model.state_size();
  parts.ranking = ranking;
  parts.negatives = ranking ? negatives : 0;
  if (ranking) parts.drawn = inputs.seen();
  parts.offset = p.offset;
  for (size_t i = 0; i < p.known.size(); ++i)
    if (!p.known[i]) parts.offset[i] = p.unknown_offset;
  parts.unknown_offset = p.unknown_offset;
  const size_t size = encoded.encoder().part_size();
  parts.own.resize(p.known.size() * size);
  Encoder::Scratch scratch;
  for (size_t i = 0; i < p.known.size(); ++i)
    encoded.own_part(columns.row(static_cast<int64_t>(i)), static_cast<int32_t>(i), scratch,
                     std::span(parts.own).subspan(i * size, size));
  return std::make_unique<EncodedMember>(std::move(encoded), std::move(halves->head), std::move(parts));
}

std::unique_ptr<Learner> make_episodic_learner(const std::string& name, const json& options, const json& encoder) {
  return std::make_unique<ItemLearner>(name, options, encoder);
}

}  // namespace fewshop::learning
