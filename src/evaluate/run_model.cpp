#include "evaluate/run_model.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/hash.h"
#include "evaluate/rank.h"
#include "evaluate/test_cells.h"
#include "evaluate/timing.h"
#include "task/support_rows.h"

namespace fewshop {
namespace {

/// What a thread needs to answer.
struct Scratch {
  std::unique_ptr<ModelSession> session;
  std::vector<float> score;    // [items]
  std::vector<float> members;  // [members, items]
};

class Runner {
 public:
  Runner(Model& model, const LoadedProblem& problem, bool alone)
      : model_(model), problem_(problem), data_(problem.data), units_(task_units(problem.data)) {
    know_items();
    know_kinds();
    const auto& parts = model.parts();
    can_adapt_ = !parts.learner.empty() || !parts.stack.empty();
    baselines_ = model.baseline_methods();
    if (!alone) return;
    require(!parts.learner.empty(), problem.scenario.name, ": the model has baselines only, no learner to ask");
    baselines_.push_back(Model::kFirstMember + model.learner());
  }

  std::vector<std::string> method_names() const {
    std::vector<std::string> names{"served", "adapted"};
    for (const int method : baselines_) names.push_back(model_.method_name(method));
    return names;
  }

  std::vector<SplitOutcome> run(int threads) const {
    const auto start = [&] { return std::make_unique<Scratch>(Scratch{model_.session(), {}, {}}); };
    return run_cells(problem_, threads, start, [&](int32_t task, const Episode& episode, Scratch& scratch) {
      return answer(task, episode, scratch);
    });
  }

  TimedTask timed(const Episode& episode) const {
    TimedTask task;
    task.support = support_of(episode);
    task.description = data_.task_features.row(episode.task);
    for (const int32_t row : episode.query) task.query.push_back(item_of_[data_.item[row]]);
    return task;
  }

 private:
  /// Dataset items as items of the model; new ones are made known.
  void know_items() {
    item_of_.resize(data_.items());
    for (int64_t i = 0; i < data_.items(); ++i) {
      item_of_[i] = model_.find_item(data_.item_ids[i]);
      if (item_of_[i] < 0) item_of_[i] = model_.add_item(data_.item_ids[i], data_.item_features.row(i));
    }
  }

  void know_kinds() {
    for (const auto& kind : data_.kinds) {
      const auto found = std::find(model_.kinds().begin(), model_.kinds().end(), kind);
      kind_of_.push_back(found == model_.kinds().end() ? -1 : static_cast<int>(found - model_.kinds().begin()));
    }
  }

  std::vector<SupportRow> support_of(const Episode& episode) const {
    auto support = support_rows(data_, episode.support, episode_time(data_, episode.support, episode.query), item_of_);
    if (std::any_of(kind_of_.begin(), kind_of_.end(), [](int kind) { return kind < 0; }))
      std::erase_if(support, [&](const SupportRow& row) { return kind_of_[row.kind] < 0; });
    for (auto& row : support) row.kind = static_cast<uint8_t>(kind_of_[row.kind]);
    return support;
  }

  TaskOutcome answer(int32_t task, const Episode& episode, Scratch& scratch) const {
    TaskOutcome outcome;
    outcome.unit = units_[task];
    outcome.tie_seed = tie_seed(data_, problem_.scenario, task);
    outcome.support = static_cast<int32_t>(episode.support.size());
    outcome.answers.resize(2 + baselines_.size());
    const std::vector<SupportRow> support = support_of(episode);
    const std::vector<ColumnView> description = data_.task_features.row(task);
    model_.adapt({support, description}, *scratch.session);
    if (problem_.scenario.problem == Problem::kRating)
      predict(episode, scratch, outcome);
    else
      rank(episode, scratch, outcome);
    return outcome;
  }

  void describe_query(const std::vector<int32_t>& items, Scratch& scratch, TaskOutcome& outcome) const {
    for (const int32_t item : items) {
      outcome.cold.push_back(model_.item_counts()[item] == 0);
      outcome.adapted.push_back(can_adapt_ && model_.served_adapted(*scratch.session, item));
    }
  }

  void predict(const Episode& episode, Scratch& scratch, TaskOutcome& outcome) const {
    std::vector<int32_t> items;
    for (const int32_t row : episode.query) {
      items.push_back(item_of_[data_.item[row]]);
      outcome.target.push_back(data_.target[row]);
    }
    describe_query(items, scratch, outcome);
    for (size_t m = 0; m < outcome.answers.size(); ++m) {
      Answer& answer = outcome.answers[m];
      answer.score.resize(items.size());
      if (m < 2) answer.variance.resize(items.size());
      model_.score(*scratch.session, method(m), items, answer.score, answer.variance);
      for (const float score : answer.score)
        if (!std::isfinite(score))
          throw Failure("evaluate: method " + model_.method_name(method(m)) +
                        " predicts a value that is not finite for task " + data_.task_ids[episode.task]);
    }
  }

  void rank(const Episode& episode, Scratch& scratch, TaskOutcome& outcome) const {
    std::vector<int32_t> items = distinct_items(data_, episode.query),
                         excluded = excluded_items(data_, problem_.scenario, episode);
    for (auto* list : {&items, &excluded})
      for (auto& item : *list) item = item_of_[item];
    outcome.target.assign(items.size(), 1.0F);
    outcome.candidates = static_cast<int32_t>(model_.item_ids().size() - excluded.size());
    describe_query(items, scratch, outcome);
    // Every member scores the items once, whether as a baseline or in the stack.
    const size_t count = model_.item_ids().size(), members = model_.parts().members.size();
    scratch.members.resize(members * count);
    model_.score_all_members(*scratch.session, scratch.members);
    const auto ranks = [&](std::span<const float> score) {
      std::vector<int32_t> rank(items.size());
      count_ranks(score, items, excluded, outcome.tie_seed, rank);
      return rank;
    };
    const auto member_ranks = [&](int method) {
      return ranks(std::span(scratch.members).subspan((method - Model::kFirstMember) * count, count));
    };
    for (size_t b = 0; b < baselines_.size(); ++b) outcome.answers[2 + b].rank = member_ranks(baselines_[b]);
    if (can_adapt_) {
      scratch.score.resize(count);
      model_.adapted_of_members(*scratch.session, scratch.members, scratch.score);
      outcome.answers[1].rank = ranks(scratch.score);
    }
    const int served = can_adapt_ && model_.served_adapted(*scratch.session, -1)
                           ? Model::kAdapted
                           : model_.served_baseline(*scratch.session);
    const auto known = std::find(baselines_.begin(), baselines_.end(), served);
    if (served == Model::kAdapted)
      outcome.answers[0].rank = outcome.answers[1].rank;
    else if (known != baselines_.end())
      outcome.answers[0].rank = outcome.answers[2 + (known - baselines_.begin())].rank;
    else
      outcome.answers[0].rank = member_ranks(served);
    if (!can_adapt_) outcome.answers[1].rank = outcome.answers[0].rank;
  }

  /// The model's method behind an answer: a bundle of baselines only adapts nothing, its baseline stands in.
  int method(size_t answer) const {
    if (answer == 0) return Model::kServed;
    if (answer == 1) return can_adapt_ ? Model::kAdapted : Model::kServed;
    return baselines_[answer - 2];
  }

  Model& model_;
  const LoadedProblem& problem_;
  const Dataset& data_;
  std::vector<int32_t> units_, item_of_;
  std::vector<int> kind_of_, baselines_;
  bool can_adapt_ = false;
};

}  // namespace

std::vector<int32_t> task_units(const Dataset& data) {
  std::vector<std::string> values = data.task_ids;
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  std::vector<int32_t> units;
  units.reserve(data.task_ids.size());
  for (const auto& id : data.task_ids)
    units.push_back(static_cast<int32_t>(std::lower_bound(values.begin(), values.end(), id) - values.begin()));
  return units;
}

uint64_t tie_seed(const Dataset& data, const Scenario& scenario, int32_t task) {
  Fingerprint seed;
  seed.add("ties").add(scenario.split.seed).add(data.task_ids[task]);
  if (!data.task_split.empty()) seed.add(data.task_split[task]);
  return seed.value();
}

std::vector<int32_t> distinct_items(const Dataset& data, const std::vector<int32_t>& rows) {
  std::vector<int32_t> items;
  for (const int32_t row : rows) items.push_back(data.item[row]);
  std::sort(items.begin(), items.end());
  items.erase(std::unique(items.begin(), items.end()), items.end());
  return items;
}

std::vector<int32_t> excluded_items(const Dataset& data, const Scenario& scenario, const Episode& episode) {
  std::vector<int32_t> items;
  if (!scenario.exclude_seen) return items;
  items = distinct_items(data, episode.support);
  // Episodes leave such query rows out; an item that is asked for is a candidate whatever else.
  for (const int32_t row : episode.query) {
    const auto found = std::lower_bound(items.begin(), items.end(), data.item[row]);
    if (found != items.end() && *found == data.item[row]) items.erase(found);
  }
  return items;
}

Outcomes run_model(Model& model, const LoadedProblem& problem, const RunOptions& options) {
  const Runner runner(model, problem, options.alone);
  Outcomes outcomes;
  outcomes.problem = problem.scenario.problem;
  outcomes.scenario = problem.scenario.name;
  outcomes.metrics = problem.scenario.metrics;
  outcomes.methods = runner.method_names();
  outcomes.best_baseline = model.parts().best_baseline;
  outcomes.splits = runner.run(options.threads);
  if (!options.timing) return outcomes;
  const auto timed =
      first_episodes(problem, kTimedTasks, [&](const Episode& episode) { return runner.timed(episode); });
  outcomes.timing = measure_timing(model, timed);
  if (!options.alone) return outcomes;
  const Member& learner = *model.parts().members.at(model.learner());
  const auto workspace = learner.workspace();
  outcomes.timing.learner_adapt_us = median_adapt_us(timed.size(), [&](size_t i) {
    learner.adapt({timed[i].support, timed[i].description}, *workspace);
  });
  return outcomes;
}

}  // namespace fewshop
