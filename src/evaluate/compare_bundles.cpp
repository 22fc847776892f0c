#include "evaluate/compare_bundles.h"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "bundle/bundle.h"
#include "core/error.h"
#include "evaluate/metric.h"
#include "evaluate/report.h"
#include "evaluate/run_row_model.h"
#include "evaluate/verdict.h"
#include "runtime/model.h"
#include "task/problem.h"

namespace fewshop {
namespace {

using nlohmann::json;

constexpr const char* kRunning = "running";

/// A loaded bundle of either kind, asked about the test tasks of a scenario.
class AnyModel {
 public:
  explicit AnyModel(const std::string& folder) {
    const Bundle bundle = read_bundle(folder);
    if (is_row_problem(bundle_problem(bundle, folder)))
      rows_ = RowModel::from_bundle(bundle, folder, training_row_members());
    else
      items_ = Model::from_bundle(bundle, folder);
  }
  const Scenario& scenario() const { return rows_ ? rows_->scenario() : items_->scenario(); }
  Outcomes ask(const Scenario& scenario, const std::string& database, int threads) const {
    const LoadedProblem problem = load_problem(scenario, database, rows_ ? &rows_->encoders() : &items_->encoders());
    const RunOptions options{.threads = threads, .timing = false};
    return rows_ ? run_row_model(*rows_, problem, options) : run_model(*items_, problem, options);
  }

 private:
  std::shared_ptr<Model> items_;
  std::shared_ptr<RowModel> rows_;
};

/// Tasks that both have met with the same support and the same query; the running model's served answers become a
/// baseline of the candidate's.
ShotOutcome pair(ShotOutcome candidate, const ShotOutcome& running) {
  std::unordered_map<uint64_t, const TaskOutcome*> by_seed;  // a task's seed of ties is its own
  for (const TaskOutcome& task : running.tasks) by_seed[task.tie_seed] = &task;
  ShotOutcome paired;
  paired.label = candidate.label;
  for (TaskOutcome& task : candidate.tasks) {
    const auto found = by_seed.find(task.tie_seed);
    if (found == by_seed.end() || found->second->support != task.support || found->second->target != task.target)
      continue;
    task.answers.resize(2);  // served, adapted
    task.answers.push_back(found->second->answers[0]);
    paired.tasks.push_back(std::move(task));
  }
  return paired;
}

const char* word(Verdict::Kind kind) {
  switch (kind) {
    case Verdict::Kind::kBetter:
      return "better";
    case Verdict::Kind::kWorse:
      return "worse";
    case Verdict::Kind::kUndecided:
      return "undecided";
    case Verdict::Kind::kSame:
      return "same";
    case Verdict::Kind::kUnknown:
      break;
  }
  return "unknown";
}

}  // namespace

json compare_bundles(const std::string& candidate, const std::string& running, const std::string& database,
                     int threads) {
  const AnyModel first(candidate), second(running);
  const Scenario& scenario = first.scenario();
  require(scenario.problem == second.scenario().problem && scenario.classes == second.scenario().classes, candidate,
          " and ", running, ": expected two models of one problem");
  parse_metrics(scenario.metrics, scenario.problem);
  Outcomes outcomes = first.ask(scenario, database, threads);
  const Outcomes other = second.ask(scenario, database, threads);
  outcomes.methods = {"served", "adapted", kRunning};
  outcomes.best_baseline = kRunning;
  for (SplitOutcome& split : outcomes.splits) {
    split.shots.clear();
    const auto same = std::find_if(other.splits.begin(), other.splits.end(),
                                   [&](const SplitOutcome& s) { return s.name == split.name; });
    split.headline = pair(std::move(split.headline), same == other.splits.end() ? ShotOutcome{} : same->headline);
  }
  const json object = report(outcomes, {.threads = threads});
  const Metric primary = primary_metric(object);
  json result{{"scenario", scenario.name}, {"metric", primary.name}, {"splits", json::object()}};
  constexpr std::array kOrder = {"better", "same", "undecided", "unknown", "worse"};
  size_t worst = object.at("splits").empty() ? 3 : 0;
  for (const auto& [name, split] : object.at("splits").items()) {
    const std::string verdict = word(judge(split, primary).kind);
    worst = std::max<size_t>(worst, std::find(kOrder.begin(), kOrder.end(), verdict) - kOrder.begin());
    const auto figure = [&](const char* pointer) {
      const json::json_pointer path(std::string(pointer) + "/" + primary.name);
      return split.contains(path) ? split.at(path) : json();
    };
    result["splits"][name] = {{"tasks", split.at("tasks")},
                              {"candidate", figure("/metrics")},
                              {"running", figure("/baselines/running")},
                              {"difference", figure("/paired/running")}};
  }
  result["verdict"] = kOrder[worst];
  return result;
}

}  // namespace fewshop
