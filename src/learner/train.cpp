#include <ATen/Parallel.h>

#include <cmath>

#include "bundle/bundle.h"
#include "core/error.h"
#include "core/usage.h"
#include "evaluate/candidate_recall.h"
#include "evaluate/report.h"
#include "evaluate/run_model.h"
#include "learner/bayes.h"
#include "learner/catalogue.h"
#include "learner/episodic_learner.h"
#include "learner/episodic_member.h"
#include "learner/held_out_tasks.h"
#include "learner/recount.h"
#include "learner/row_train.h"
#include "learner/trainer_base.h"
#include "learner/training.h"
#include "learner/weights.h"
#include "nn/buffer_pool.h"
#include "runtime/model.h"

extern "C" void openblas_set_num_threads(int);

namespace fewshop::learning {
namespace {

using nlohmann::json;

constexpr size_t kRankingEpisodes = 4000;  // held-out episodes that stack and gate of ranks are fitted on, at most
constexpr double kHiddenShare = 0.2;

/// The learner that a scenario asks for; its options are checked.
std::unique_ptr<Learner> make_learner(const Scenario& scenario) {
  if (scenario.learner == "bayes") return make_bayes(scenario.learner_options);
  if (find_learner(scenario.learner).trains_network(scenario.problem))
    return make_episodic_learner(scenario.learner, scenario.learner_options, scenario.encoder_options);
  const Baseline* baseline = find_baseline(scenario.learner);
  require(baseline, "learner: '", scenario.learner, "' cannot be trained; see `fewshop learners`");
  return make_baseline_learner(*baseline, scenario.learner_options);
}

/// From a problem to the parts of a model: constants and steps on meta-validation tasks, stack and gate on held-out
/// tasks, the last fit on everything. docs/stack-and-gate.md says what is fitted on what.
class Trainer : public TrainerBase {
 public:
  explicit Trainer(const TrainRequest& request) : TrainerBase(request) {
    middle_ = middle_target(data_, problem_.partition.train);
    set_target_range();
    for (const auto& name : scenario_.baselines) {
      const Baseline* baseline = find_baseline(name);
      require(baseline, "report.baselines: unknown baseline '", name, "'");
      require(baseline->fits(scenario_.problem), "report.baselines: '", name, "' does not fit this problem");
      learners_.push_back(make_baseline_learner(*baseline, json::object()));
    }
    require(!learners_.empty(), "report.baselines: at least one is needed to compare with");
    if (has_learner_) learners_.push_back(make_learner(scenario_));
    chosen_.resize(learners_.size());
  }

  std::shared_ptr<fewshop::Model> train() {
    return with_work_folder([&] { return fit_all(); });
  }

 private:
  std::shared_ptr<fewshop::Model> fit_all() {
    choose();
    fewshop::Model::Parts parts;
    fit_weights(parts);
    fit_last(parts);
    name_constants(learners_);
    parts.manifest = manifest();
    return std::make_shared<fewshop::Model>(std::move(parts));
  }

  bool ranking() const { return scenario_.problem == Problem::kRanking; }

  void set_target_range() {
    low_ = INFINITY;
    high_ = -INFINITY;
    for (const auto& task : problem_.partition.train_last)
      for (const int32_t r : task.rows) {
        low_ = std::min(low_, data_.target[r]);
        high_ = std::max(high_, data_.target[r]);
      }
  }

  /// One fifth of the items, another one for every fold; none for ranks (docs/stack-and-gate.md says why).
  std::vector<uint8_t> hidden_items(int64_t fold) const {
    std::vector<uint8_t> hidden(data_.items(), 0);
    if (ranking()) return hidden;
    std::vector<int32_t> order(data_.items());
    for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int32_t>(i);
    Random(scenario_.split.seed).fork("hidden items").shuffle(order);
    const auto folds = static_cast<int64_t>(1 / kHiddenShare);
    for (size_t i = 0; i < order.size(); ++i) hidden[order[i]] = static_cast<int64_t>(i) % folds == fold % folds;
    return hidden;
  }
  const std::vector<uint8_t>* hidden_or_null(const std::vector<uint8_t>& hidden) const {
    return ranking() ? nullptr : &hidden;
  }

  std::vector<int32_t> seen_counts(const TaskSet& tasks, const std::vector<uint8_t>* hidden) const {
    auto counts = item_counts(data_, tasks);
    for (size_t i = 0; hidden && i < counts.size(); ++i)
      if ((*hidden)[i]) counts[i] = 0;
    return counts;
  }

  std::vector<std::unique_ptr<Member>> fit_members(const TaskSet& tasks, const std::vector<uint8_t>* hidden,
                                                   const std::string& stage, const MemberLoss& baseline_loss,
                                                   const MemberLoss& learner_loss) {
    const FitInput input{data_, scenario_, tasks, hidden, threads_, request_.seed};
    return fit_each<Member>(
        learners_, stage, [&](json& chosen) { return work_->finished(stage, chosen); },
        [&](size_t m, const Run& run) {
          return learners_[m]->fit(input, is_proper(m) ? learner_loss : baseline_loss, chosen_[m], run);
        },
        [&](const Member& member) { work_->finish(stage, member, chosen_.back()); });
  }

  /// Constants of the baselines and the learner's number of epochs, on meta-validation tasks with hidden items.
  void choose() {
    const auto hidden_flags = hidden_items(0);
    const auto* hidden = hidden_or_null(hidden_flags);
    auto episodes = held_out_episodes(data_, scenario_, selection_tasks(), shot_sizes(scenario_), hidden);
    if (ranking())
      episodes = draw_episodes(std::move(episodes), kRankingEpisodes / 2, random_.fork("selection episodes"));
    require(!episodes.empty(), scenario_.name,
            ": no meta-validation task is large enough for any support size of the scenario");
    const auto stopping = draw_episodes(episodes, ranking() ? 1000 : 4000, random_.fork("stopping episodes"));
    const auto loss_on = [&](const std::vector<HeldOutEpisode>& on, bool recentred) {
      return [&on, recentred, this](const Member& member) {
        return member_loss(data_, scenario_, member, metric_, middle_, on, threads_, recentred);
      };
    };
    selection_.members = fit_members(problem_.partition.train, hidden, "selection", loss_on(episodes, false),
                                     loss_on(stopping, scenario_.stack));
    selection_.counts = seen_counts(problem_.partition.train, hidden);
    selection_.episodes = std::move(episodes);
  }

  /// The fits and episodes that stack and gate are fitted on.
  std::vector<Fold> held_out_fits() {
    std::vector<Fold> folds;
    if (!weighted()) {  // nothing to fit but the best baseline and what is reported of validation
      folds.push_back(std::move(selection_));
    } else if (halves_validation(problem_)) {
      sizes_ = held_out_sizes(data_, scenario_, problem_.partition.valid);
      const auto hidden = hidden_items(0);
      selection_.episodes = held_out_episodes(
          data_, scenario_, draw_tasks(validation_half(problem_, false), kWeightTasks, random_.fork("weights")), sizes_,
          hidden_or_null(hidden));
      folds.push_back(std::move(selection_));
    } else {
      selection_ = {};
      cross_fit(folds);
    }
    if (ranking())
      for (size_t f = 0; f < folds.size(); ++f)
        folds[f].episodes = draw_episodes(std::move(folds[f].episodes), kRankingEpisodes / folds.size(),
                                          random_.fork("weight episodes").fork(f));
    return folds;
  }

  /// Every task value of training and validation is held out once.
  void cross_fit(std::vector<Fold>& folds) {
    sizes_ = held_out_sizes(data_, scenario_, cross_fit_tasks(problem_).held_out);
    const auto parts = task_folds(problem_, scenario_.learner_options.value("folds", BayesOptions().folds));
    for (const auto& part : parts) {
      const auto hidden_flags = hidden_items(part.number);
      const auto* hidden = hidden_or_null(hidden_flags);
      Fold fold;
      fold.members = fit_members(part.fit_on, hidden, "fold-" + std::to_string(part.number), nullptr, nullptr);
      fold.counts = seen_counts(part.fit_on, hidden);
      fold.episodes = held_out_episodes(
          data_, scenario_,
          draw_tasks(part.held_out, kWeightTasks / parts.size(), random_.fork("weights").fork(part.number)), sizes_,
          hidden);
      folds.push_back(std::move(fold));
    }
  }

  /// Stack, gate, the best baseline and what `train` reports of validation.
  void fit_weights(fewshop::Model::Parts& parts) {
    const std::vector<Fold> folds = held_out_fits();
    WeightOptions options;
    options.learner = has_learner_;
    options.stack = scenario_.stack;
    options.gate = scenario_.gate;
    options.sizes = sizes_;
    options.target_low = low_;
    options.target_high = high_;
    options.positive_above = middle_;
    options.seed = request_.seed;
    options.threads = threads_;
    Weights weights = fewshop::fit_weights(data_, scenario_, folds, options);
    parts.stack = std::move(weights.stack);
    parts.gate = std::move(weights.gate);
    parts.best_baseline = scenario_.baselines.at(weights.best_baseline);
    valid_ = std::move(weights.valid);
  }

  /// The members that are served.
  void fit_last(fewshop::Model::Parts& parts) {
    const TaskSet tasks = last_fit_tasks(problem_);
    parts.members = fit_members(tasks, nullptr, "last", nullptr, nullptr);
    parts.scenario = scenario_;
    parts.encoders = problem_.encoders;
    parts.item_ids = data_.item_ids;
    parts.kinds = data_.kinds;
    parts.item_counts = item_counts(data_, tasks);
    parts.baselines = scenario_.baselines;
    if (has_learner_) parts.learner = std::string(parts.members.back()->name());
    parts.target_low = low_;
    parts.target_high = high_;
    if (!scenario_.live_events.empty() && problem_.events_through >= 0)
      parts.trained_on = trained_on(data_, problem_.events_through, problem_.partition.train_last, tasks);
    if (!scenario_.live_events.empty()) parts.item_features = data_.item_features;
  }

  std::vector<std::unique_ptr<Learner>> learners_;  // baselines, then the learner proper
  float middle_ = 0, low_ = 0, high_ = 0;
  Fold selection_;
};

}  // namespace

TrainResult train(const TrainRequest& request) {
  if (is_row_problem(request.scenario.problem)) return train_rows(request);
  check_bundle_target(request.out);
  reset_peak_resident();
  at::set_num_threads(1);
  openblas_set_num_threads(1);
  nn::keep_freed_memory();
  Trainer trainer(request);
  const std::shared_ptr<fewshop::Model> model = trainer.train();
  if (const auto candidates = candidate_recall(*model, trainer.problem(), {.threads = request.threads})) {
    model->set_candidate_depth(candidates->depth);
    model->set_fact("candidate_recall", candidates->recall);
  }
  const json run = trainer.costs();
  json printed = report(run_model(*model, trainer.problem(), {.threads = request.threads, .timing = false}));
  printed.erase("timing");
  model->save(request.out, printed, run);
  trainer.remove_work_folder();
  return trainer.result(run, model->parts().best_baseline);
}

std::vector<std::string> learner_names() {
  std::vector<std::string> names;
  for (const auto& info : learners()) names.push_back(info.name);
  return names;
}

}  // namespace fewshop::learning

namespace fewshop {

extern "C" const TrainingLibrary fewshop_training_library{TrainingLibrary::kAbi, learning::train,
                                                          learning::learner_names, learning::load_training_row_member,
                                                          learning::EpisodicMember::load};

}  // namespace fewshop
