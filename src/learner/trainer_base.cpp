#include "learner/trainer_base.h"

#include "core/error.h"
#include "core/hash.h"
#include "core/parallel.h"
#include "core/time.h"
#include "core/usage.h"
#include "evaluate/report.h"
#include "learner/catalogue.h"
#include "learner/check_scenario.h"
#include "learner/held_out_tasks.h"

namespace fewshop::learning {
namespace {

using nlohmann::json;

/// With every default filled in; a baseline that is trained as the learner is not its own baseline.
Scenario complete(Scenario scenario, bool baselines_only) {
  scenario = with_catalogue_defaults(std::move(scenario));
  if (!baselines_only) std::erase(scenario.baselines, scenario.learner);
  return scenario;
}

}  // namespace

TrainerBase::TrainerBase(const TrainRequest& request)
    : request_(request),
      cpu_start_(process_cpu_seconds()),
      problem_(load_problem(complete(request.scenario, request.baselines_only), request.database)),
      data_(problem_.data),
      scenario_(problem_.scenario),
      metric_(judging_metric(scenario_)),
      threads_(thread_count(request.threads)),
      random_(Random(request.seed).fork("train")),
      has_learner_(!request.baselines_only) {
  require(!problem_.partition.train.empty(), scenario_.name,
          ": no training tasks are left; look at [split] with `fewshop validate`");
  require(!problem_.partition.valid.empty(), scenario_.name,
          ": no meta-validation tasks are left, so nothing can be chosen or gated; enlarge split.valid, or rows in "
          "[episode]");
}

TaskSet TrainerBase::selection_tasks() const {
  return draw_tasks(halves_validation(problem_) ? validation_half(problem_, true) : problem_.partition.valid,
                    kSelectionTasks, random_.fork("selection tasks"));
}

std::string TrainerBase::work_key() const {
  return Fingerprint()
      .add(problem_.data_fingerprint)
      .add(scenario_to_json(scenario_).dump())
      .add(request_.seed)
      .add(request_.baselines_only)
      .add(FEWSHOP_VERSION)
      .hex();
}

json TrainerBase::manifest() const {
  return {{"constants", constants_},
          {"seed", request_.seed},
          {"data_fingerprint", problem_.data_fingerprint},
          {"catalogue_fingerprint", catalogue_fingerprint()},
          {"fewshop", FEWSHOP_VERSION},
          {"valid", valid_}};
}

json TrainerBase::costs() const {
  return {{"train_seconds", std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count()},
          {"train_cpu_seconds", process_cpu_seconds() - cpu_start_},
          {"peak_bytes", peak_resident_bytes()},
          {"threads", threads_},
          {"data_read", format_time(data_read_)},
          {"finished", format_time(system_time())}};
}

TrainResult TrainerBase::result(const json& run, const std::string& best_baseline) const {
  return {{{"model", request_.out},
           {"scenario", scenario_.name},
           {"learner", has_learner_ ? scenario_.learner : ""},
           {"seed", request_.seed},
           {"train_seconds", run["train_seconds"]},
           {"train_cpu_seconds", run["train_cpu_seconds"]},
           {"valid", valid_},
           {"constants", constants_},
           {"best_baseline", best_baseline}}};
}

}  // namespace fewshop::learning
