#include "learner/row_train.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <chrono>
#include <optional>

#include "bundle/bundle.h"
#include "core/cancel.h"
#include "core/error.h"
#include "core/hash.h"
#include "core/parallel.h"
#include "core/progress.h"
#include "core/time.h"
#include "core/usage.h"
#include "evaluate/report.h"
#include "evaluate/run_row_model.h"
#include "learner/bayes_options.h"
#include "learner/catalogue.h"
#include "learner/check_scenario.h"
#include "learner/held_out_tasks.h"
#include "learner/row_weights.h"
#include "learner/work_folder.h"
#include "runtime/row_model.h"

namespace fewshop::learning {
namespace {

using nlohmann::json;

constexpr size_t kSelectionEpisodes = 2000;  // held-out episodes that constants are chosen on, at most
constexpr size_t kWeightEpisodes = 8000;     // that mix and gate are fitted on, at most

/// From a problem of rows to the parts of a model: constants on meta-validation tasks, mix and gate on held-out tasks,
/// the last fit on everything.
class RowTrainer {
 public:
  explicit RowTrainer(const TrainRequest& request)
      : request_(request),
        problem_(load_problem(complete(request.scenario, request.baselines_only), request.database)),
        data_(problem_.data),
        scenario_(problem_.scenario),
        metric_(judging_metric(scenario_)),
        threads_(thread_count(request.threads)),
        random_(Random(request.seed).fork("train")),
        has_learner_(!request.baselines_only) {
    const auto& p = problem_.partition;
    require(!p.train.empty(), scenario_.name, ": no training tasks are left; look at [split] with `fewshop validate`");
    require(!p.valid.empty(), scenario_.name,
            ": no meta-validation tasks are left, so nothing can be chosen or gated; enlarge split.valid, or rows in "
            "[episode]");
    for (const auto& name : scenario_.baselines)
      learners_.push_back(make_row_learner(name, json::object(), json::object()));
    const auto servable = [](const auto& learner) { return learner->has_runtime_form(); };
    require(std::any_of(learners_.begin(), learners_.end(), servable),
            "report.baselines: at least one that can be served is needed to compare with");
    if (has_learner_)
      learners_.push_back(make_row_learner(scenario_.learner, scenario_.learner_options, scenario_.encoder_options));
    chosen_.resize(learners_.size());
  }

  std::shared_ptr<RowModel> train(json& facts) {
    work_.emplace(request_.out, work_key());
    try {
      return fit_all(facts);
    } catch (const InvalidInput&) {
      work_->remove();  // the same input would fail again
      throw;
    }
  }

  const LoadedProblem& problem() const { return problem_; }
  void remove_work_folder() const { work_->remove(); }

 private:
  /// With every default filled in; a baseline that is trained as the learner is not its own baseline.
  static Scenario complete(Scenario scenario, bool baselines_only) {
    scenario = with_catalogue_defaults(std::move(scenario));
    if (!baselines_only) std::erase(scenario.baselines, scenario.learner);
    return scenario;
  }

  std::string work_key() const {
    return Fingerprint()
        .add(problem_.data_fingerprint)
        .add(scenario_to_json(scenario_).dump())
        .add(request_.seed)
        .add(request_.baselines_only)
        .add(FEWSHOP_VERSION)
        .hex();
  }

  std::shared_ptr<RowModel> fit_all(json& facts) {
    RowModel::Parts parts;
    auto folds = held_out_fits(choose());
    fit_weights(folds, parts);
    folds.clear();
    fit_last(parts);
    json constants = json::object();
    for (size_t m = 0; m < learners_.size(); ++m) constants[std::string(learners_[m]->name())] = chosen_[m];
    facts = {{"constants", constants}, {"valid", valid_}};
    parts.manifest = {{"constants", constants},
                      {"seed", request_.seed},
                      {"data_fingerprint", problem_.data_fingerprint},
                      {"catalogue_fingerprint", catalogue_fingerprint()},
                      {"fewshop", FEWSHOP_VERSION},
                      {"valid", valid_}};
    return std::make_shared<RowModel>(std::move(parts));
  }

  /// One fit of every learner. That of the learner proper is continued, or read back, where an interrupted run has left
  /// it; the baselines are soon fitted again.
  std::vector<std::unique_ptr<RowMember>> fit_members(const TaskSet& tasks, const std::string& stage,
                                                      const RowMemberLoss& loss) {
    const RowFitInput input{data_, scenario_, problem_.encoders, tasks, threads_, request_.seed};
    std::vector<std::unique_ptr<RowMember>> members;
    std::optional<Progress> bar(std::in_place, "baselines, " + stage, std::ssize(scenario_.baselines));
    for (size_t m = 0; m < learners_.size(); ++m) {
      const bool proper = has_learner_ && m + 1 == learners_.size();
      if (proper) bar.reset();  // it has a bar of its own
      auto member = proper ? work_->finished_row(stage, chosen_[m], load_training_row_member) : nullptr;
      if (!member) {
        const Run run{request_.seed, threads_, proper ? work_->checkpoint(stage) : "",
                      fmt::format("{}, {}", learners_[m]->name(), stage)};
        member = learners_[m]->fit(input, loss, chosen_[m], run);
        if (proper) work_->finish_row(stage, *member, chosen_[m]);
      }
      members.push_back(std::move(member));
      if (bar) bar->advance(1, std::string(learners_[m]->name()));
      check_cancelled();
    }
    return members;
  }

  /// Constants and numbers of epochs, on meta-validation tasks.
  RowFold choose() {
    const TaskSet valid =
        draw_tasks(halves_validation(problem_) ? validation_half(problem_, true) : problem_.partition.valid,
                   kSelectionTasks, random_.fork("selection tasks"));
    RowFold fold;
    fold.episodes = draw_episodes(held_out_episodes(data_, scenario_, valid, shot_sizes(scenario_), nullptr),
                                  kSelectionEpisodes, random_.fork("selection episodes"));
    require(!fold.episodes.empty(), scenario_.name,
            ": no meta-validation task is large enough for any support size of the scenario");
    fold.members = fit_members(problem_.partition.train, "selection", [&](const RowMember& member) {
      return row_member_loss(data_, member, metric_, fold.episodes, threads_);
    });
    return fold;
  }

  bool weighted() const { return has_learner_ && (scenario_.stack || scenario_.gate); }

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

  const TrainRequest& request_;
  LoadedProblem problem_;
  const Dataset& data_;
  const Scenario& scenario_;
  Metric metric_;
  int threads_;
  Random random_;
  bool has_learner_;
  std::optional<WorkFolder> work_;                     // from the first fit on
  std::vector<std::unique_ptr<RowLearner>> learners_;  // baselines, then the learner proper
  std::vector<json> chosen_;                           // [learners] constants, epochs
  std::vector<int> sizes_;
  json valid_;
};

}  // namespace

TrainResult train_rows(const TrainRequest& request) {
  const double cpu_start = process_cpu_seconds();
  const auto start = std::chrono::steady_clock::now();
  check_bundle_target(request.out);
  reset_peak_resident();
  at::set_num_threads(1);
  RowTrainer trainer(request);
  json facts;
  const std::shared_ptr<RowModel> model = trainer.train(facts);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const json run = {{"train_seconds", seconds},
                    {"train_cpu_seconds", process_cpu_seconds() - cpu_start},
                    {"peak_bytes", peak_resident_bytes()},
                    {"threads", thread_count(request.threads)},
                    {"finished", format_time(system_time())}};
  json printed = report(run_row_model(*model, trainer.problem(), {.threads = request.threads, .timing = false}));
  printed.erase("timing");
  model->save(request.out, printed, run);
  trainer.remove_work_folder();
  return {{{"model", request.out},
           {"scenario", request.scenario.name},
           {"learner", request.baselines_only ? "" : request.scenario.learner},
           {"seed", request.seed},
           {"train_seconds", seconds},
           {"train_cpu_seconds", run["train_cpu_seconds"]},
           {"valid", facts["valid"]},
           {"constants", facts["constants"]},
           {"best_baseline", model->parts().best_baseline}}};
}

}  // namespace fewshop::learning
