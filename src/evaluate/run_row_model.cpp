#include "evaluate/run_row_model.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "evaluate/test_cells.h"
#include "evaluate/timing.h"
#include "learner/training.h"
#include "task/row_episode.h"

namespace fewshop {
namespace {

class RowRunner {
 public:
  RowRunner(const RowModel& model, const LoadedProblem& problem, bool alone)
      : model_(model),
        problem_(problem),
        data_(problem.data),
        units_(task_units(problem.data)),
        baselines_(model.baseline_methods()) {
    for (const auto& id : data_.item_ids) item_of_.push_back(model.find_item(id));
    for (const auto& kind : data_.kinds) {
      const auto found = std::find(model.kinds().begin(), model.kinds().end(), kind);
      kind_of_.push_back(found == model.kinds().end() ? -1 : static_cast<int>(found - model.kinds().begin()));
    }
    can_adapt_ = !model.parts().learner.empty() || !model.parts().mix.empty();
    if (!alone) return;
    require(!model.parts().learner.empty(), problem.scenario.name, ": the model has baselines only, no learner to ask");
    baselines_.push_back(RowModel::kFirstMember + model.learner());
  }

  std::vector<std::string> method_names() const {
    std::vector<std::string> names{"served", "adapted"};
    for (const int method : baselines_) names.push_back(model_.method_name(method));
    return names;
  }

  RowEpisode asked(const Episode& episode) const { return row_episode(data_, episode, item_of_, kind_of_); }

  std::vector<SplitOutcome> run(int threads) const {
    const auto start = [&] { return model_.session(); };
    return run_cells(problem_, threads, start, [&](int32_t task, const Episode& episode, RowSession& session) {
      return answer(task, episode, session);
    });
  }

 private:
  TaskOutcome answer(int32_t task, const Episode& episode, RowSession& session) const {
    TaskOutcome outcome;
    outcome.unit = units_[task];
    outcome.tie_seed = tie_seed(data_, problem_.scenario, task);
    outcome.support = static_cast<int32_t>(episode.support.size());
    outcome.answers.resize(2 + baselines_.size());
    const RowEpisode asked = this->asked(episode);
    model_.adapt(asked.task(), session);
    const bool adapted = can_adapt_ && model_.served_adapted(session);
    for (size_t q = 0; q < asked.query.size(); ++q) {
      outcome.target.push_back(data_.target[episode.query[q]]);
      const int32_t item = asked.query[q].item;
      outcome.cold.push_back(item < 0 || model_.parts().item_counts[item] == 0);
      outcome.adapted.push_back(adapted);
    }
    for (size_t m = 0; m < outcome.answers.size(); ++m) {
      auto& predictive = outcome.answers[m].predictive;
      predictive.resize(asked.query.size());
      for (size_t q = 0; q < asked.query.size(); ++q) {
        model_.predict(session, method(m), asked.query[q], predictive[q]);
        if (!std::isfinite(log_prob(predictive[q], outcome.target[q])))
          throw Failure("evaluate: method " + model_.method_name(method(m)) +
                        " predicts something that is not finite for task " + data_.task_ids[episode.task]);
      }
    }
    return outcome;
  }

  /// The model's method behind an answer: a bundle of baselines only adapts nothing, its baseline stands in.
  int method(size_t answer) const {
    if (answer == 0) return RowModel::kServed;
    if (answer == 1) return can_adapt_ ? RowModel::kAdapted : RowModel::kServed;
    return baselines_[answer - 2];
  }

  const RowModel& model_;
  const LoadedProblem& problem_;
  const Dataset& data_;
  std::vector<int32_t> units_, item_of_;
  std::vector<int> kind_of_, baselines_;
  bool can_adapt_ = false;
};

}  // namespace

Outcomes run_row_model(const RowModel& model, const LoadedProblem& problem, const RunOptions& options) {
  const RowRunner runner(model, problem, options.alone);
  Outcomes outcomes;
  outcomes.problem = problem.scenario.problem;
  outcomes.scenario = problem.scenario.name;
  outcomes.metrics = problem.scenario.metrics;
  outcomes.items = !problem.scenario.item.empty();
  outcomes.methods = runner.method_names();
  outcomes.best_baseline = model.parts().best_baseline;
  outcomes.splits = runner.run(options.threads);
  if (!options.timing) return outcomes;
  const auto timed =
      first_episodes(problem, kTimedTasks, [&](const Episode& episode) { return runner.asked(episode); });
  const auto session = model.session();
  Predictive out;
  outcomes.timing = measure_timing(
      timed.size(), [&](size_t i) { model.adapt_served(timed[i].task(), *session); },
      [&](size_t i) {
        for (const RowInput& row : timed[i].query) model.predict(*session, RowModel::kServed, row, out);
        return timed[i].query.size();
      });
  if (!options.alone) return outcomes;
  const RowMember& learner = *model.parts().members.at(model.learner());
  const auto workspace = learner.workspace();
  outcomes.timing.learner_adapt_us =
      median_adapt_us(timed.size(), [&](size_t i) { learner.adapt(timed[i].task(), *workspace); });
  return outcomes;
}

RowMemberLoader training_row_members() {
  return [](const TensorFile& file) { return training_library().load_row_member(file); };
}

}  // namespace fewshop
