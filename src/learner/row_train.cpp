#include "learner/row_train.h"

#include <ATen/Parallel.h>

#include "bundle/bundle.h"
#include "core/error.h"
#include "core/usage.h"
#include "evaluate/report.h"
#include "evaluate/run_row_model.h"
#include "learner/bayes_options.h"
#include "learner/held_out_tasks.h"
#include "learner/row_weights.h"
#include "learner/trainer_base.h"
#include "runtime/row_model.h"

namespace fewshop::learning {
namespace {

using nlohmann::json;

constexpr size_t kSelectionEpisodes = 2000;  // held-out episodes that constants are chosen on, at most
constexpr size_t kWeightEpisodes = 8000;     // that mix and gate are fitted on, at most

/// From a problem of rows to the parts of a model: constants on meta-validation tasks, mix and gate on held-out tasks,
/// the last fit on everything.
class RowTrainer : public TrainerBase {
 public:
  explicit RowTrainer(const TrainRequest& request) : TrainerBase(request) {
    for (const auto& name : scenario_.baselines)
      learners_.push_back(make_row_learner(name, json::object(), json::object()));
    const auto servable = [](const auto& learner) { return learner->has_runtime_form(); };
    require(std::any_of(learners_.begin(), learners_.end(), servable),
            "report.baselines: at least one that can be served is needed to compare with");
    if (has_learner_)
      learners_.push_back(make_row_learner(scenario_.learner, scenario_.learner_options, scenario_.encoder_options));
    chosen_.resize(learners_.size());
  }

  std::shared_ptr<RowModel> train() {
    return with_work_folder([&] { return fit_all(); });
  }

 private:
  std::shared_ptr<RowModel> fit_all() {
    RowModel::Parts parts;
    auto folds = held_out_fits(choose());
    fit_weights(folds, parts);
    folds.clear();
    fit_last(parts);
    name_constants(learners_);
    parts.manifest = manifest();
    return std::make_shared<RowModel>(std::move(parts));
  }

  std::vector<std::unique_ptr<RowMember>> fit_members(const TaskSet& tasks, const std::string& stage,
                                                      const RowMemberLoss& loss) {
    const RowFitInput input{data_, scenario_, problem_.encoders, tasks, threads_, request_.seed};
    return fit_each<RowMember>(
        learners_, stage, [&](json& chosen) { return work_->finished_row(stage, chosen, load_training_row_member); },
        [&](size_t m, const Run& run) { return learners_[m]->fit(input, loss, chosen_[m], run); },
        [&](const RowMember& member) { work_->finish_row(stage, member, chosen_.back()); });
  }

  /// Constants and numbers of epochs, on meta-validation tasks.
  RowFold choose() {
    RowFold fold;
    fold.episodes =
        draw_episodes(held_out_episodes(data_, scenario_, selection_tasks(), shot_sizes(scenario_), nullptr),
                      kSelectionEpisodes, random_.fork("selection episodes"));
    require(!fold.episodes.empty(), scenario_.name,
            ": no meta-validation task is large enough for any support size of the scenario");
    fold.members = fit_members(problem_.partition.train, "selection", [&](const RowMember& member) {
      return row_member_loss(data_, member, metric_, fold.episodes, threads_);
    });
    return fold;
  }

  /// The fits and episodes that mix and gate are fitted on.
  std::vector<RowFold> held_out_fits(RowFold selection) {
    std::vector<RowFold> folds;
    if (!weighted()) {  // nothing to fit but the best baseline and what is reported of validation
      folds.push_back(std::move(selection));
      return folds;
    }
    if (halves_validation(problem_)) {
      sizes_ = held_out_sizes(data_, scenario_, problem_.partition.valid);
      selection.episodes = held_out_episodes(
          data_, scenario_, draw_tasks(validation_half(problem_, false), kWeightTasks, random_.fork("weights")), sizes_,
          nullptr);
      folds.push_back(std::move(selection));
    } else {
      selection = {};
      sizes_ = held_out_sizes(data_, scenario_, cross_fit_tasks(problem_).held_out);
      const auto parts = task_folds(problem_, scenario_.learner_options.value("folds", BayesOptions().folds));
      for (const auto& part : parts) {
        RowFold fold;
        fold.members = fit_members(part.fit_on, "fold-" + std::to_string(part.number), nullptr);
        fold.episodes = held_out_episodes(
            data_, scenario_,
            draw_tasks(part.held_out, kWeightTasks / parts.size(), random_.fork("weights").fork(part.number)), sizes_,
            nullptr);
        folds.push_back(std::move(fold));
      }
    }
    for (size_t f = 0; f < folds.size(); ++f)
      folds[f].episodes = draw_episodes(std::move(folds[f].episodes), kWeightEpisodes / folds.size(),
                                        random_.fork("weight episodes").fork(f));
    return folds;
  }

  /// Mix, gate, the best baseline and what `train` reports of validation.
  void fit_weights(const std::vector<RowFold>& folds, RowModel::Parts& parts) {
    RowWeightOptions options;
    options.learner = has_learner_;
    options.mix = scenario_.stack;
    options.gate = scenario_.gate;
    for (const auto& learner : learners_) options.servable.push_back(learner->has_runtime_form());
    if (has_learner_) options.servable.back() = 1;
    options.sizes = sizes_;
    options.seed = request_.seed;
    options.threads = threads_;
    RowWeights weights = fit_row_weights(data_, scenario_, folds, options);
    parts.mix = std::move(weights.mix);
    parts.gate = std::move(weights.gate);
    parts.best_baseline = scenario_.baselines.at(weights.best_baseline);
    valid_ = std::move(weights.valid);
  }

  /// The members that are served.
  void fit_last(RowModel::Parts& parts) {
    const TaskSet tasks = last_fit_tasks(problem_);
    parts.members = fit_members(tasks, "last", nullptr);
    for (const auto& learner : learners_) parts.names.emplace_back(learner->name());
    parts.scenario = scenario_;
    parts.encoders = problem_.encoders;
    parts.item_ids = data_.item_ids;
    parts.item_counts = item_counts(data_, tasks);
    parts.item_features = data_.item_features;
    parts.kinds = data_.kinds;
    parts.baselines = scenario_.baselines;
    if (has_learner_) parts.learner = parts.names.back();
  }

  std::vector<std::unique_ptr<RowLearner>> learners_;  // baselines, then the learner proper
};

}  // namespace

TrainResult train_rows(const TrainRequest& request) {
  check_bundle_target(request.out);
  reset_peak_resident();
  at::set_num_threads(1);
  RowTrainer trainer(request);
  const std::shared_ptr<RowModel> model = trainer.train();
  const json run = trainer.costs();
  json printed = report(run_row_model(*model, trainer.problem(), {.threads = request.threads, .timing = false}));
  printed.erase("timing");
  model->save(request.out, printed, run);
  trainer.remove_work_folder();
  return trainer.result(run, model->parts().best_baseline);
}

}  // namespace fewshop::learning
