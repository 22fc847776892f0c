#include "learner/held_out_tasks.h"

#include <algorithm>

#include "core/hash.h"
#include "learner/catalogue.h"
#include "task/groups.h"

namespace fewshop {
namespace {

constexpr size_t kHalvesFrom = 1000;  // meta-validation tasks from which they are halved instead of cross-fitted

}  // namespace

TaskSet draw_tasks(const TaskSet& tasks, size_t at_most, Random random) {
  if (tasks.size() <= at_most) return tasks;
  std::vector<size_t> order(tasks.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  random.shuffle(order);
  order.resize(at_most);
  std::sort(order.begin(), order.end());
  TaskSet drawn;
  for (const size_t i : order) drawn.push_back(tasks[i]);
  return drawn;
}

std::vector<HeldOutEpisode> draw_episodes(std::vector<HeldOutEpisode> episodes, size_t at_most, Random random) {
  if (episodes.size() <= at_most) return episodes;
  random.shuffle(episodes);
  episodes.resize(at_most);
  return episodes;
}

bool halves_validation(const LoadedProblem& problem) { return problem.partition.valid.size() >= kHalvesFrom; }

TaskSet validation_half(const LoadedProblem& problem, bool first) {
  const Random random = Random(problem.scenario.split.seed).fork("halves");
  TaskSet half;
  for (const auto& task : problem.partition.valid)
    if ((random.fork(problem.data.task_ids[task.task]).next() & 1) == (first ? 0 : 1)) half.push_back(task);
  return half;
}

std::vector<int> shot_sizes(const Scenario& scenario) {
  std::vector<int> sizes;
  for (const auto& shot : scenario.episode.shots)
    if (shot.share <= 0) sizes.push_back(shot.count);
  return sizes;
}

CrossFitTasks cross_fit_tasks(const LoadedProblem& problem) {
  const Partition& p = problem.partition;
  CrossFitTasks tasks;
  tasks.held_out = p.train_last;
  if (!problem.scenario.split.time_valid) {
    tasks.held_out.insert(tasks.held_out.end(), p.valid_last.begin(), p.valid_last.end());
    tasks.fitted = tasks.held_out;
    return tasks;
  }
  for (auto& task : tasks.held_out)
    task.query_from = first_query_row(problem.data, task, *problem.scenario.split.time_valid);
  tasks.held_out.insert(tasks.held_out.end(), p.valid.begin(), p.valid.end());
  tasks.fitted = p.train;
  return tasks;
}

std::vector<TaskFold> task_folds(const LoadedProblem& problem, int count) {
  const auto tasks = cross_fit_tasks(problem);
  const auto& ids = problem.data.task_ids;
  std::vector<std::string> values;
  for (const auto& task : tasks.held_out) values.push_back(ids[task.task]);
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  count = std::min(count, static_cast<int>(values.size()));
  std::vector<int> fold_of(values.size());
  for (size_t i = 0; i < values.size(); ++i) fold_of[i] = static_cast<int>(i % count);
  Random(problem.scenario.split.seed).fork("folds").shuffle(fold_of);
  std::vector<TaskFold> folds;
  for (int f = 0; f < count; ++f) {
    const auto outside = [&](const TaskRows& task) {
      const auto value = std::lower_bound(values.begin(), values.end(), ids[task.task]);
      return fold_of[value - values.begin()] != f;
    };
    TaskFold fold{f, {}, {}};
    std::copy_if(tasks.fitted.begin(), tasks.fitted.end(), std::back_inserter(fold.fit_on), outside);
    std::remove_copy_if(tasks.held_out.begin(), tasks.held_out.end(), std::back_inserter(fold.held_out), outside);
    if (!fold.held_out.empty() && !fold.fit_on.empty()) folds.push_back(std::move(fold));
  }
  return folds;
}

TaskSet last_fit_tasks(const LoadedProblem& problem) {
  const Partition& p = problem.partition;
  TaskSet tasks = p.train_last;
  if (!halves_validation(problem) || problem.scenario.split.time_valid)
    tasks.insert(tasks.end(), p.valid_last.begin(), p.valid_last.end());
  return tasks;
}

double mean_over_sizes(const Metric& metric, const std::map<int, Part>& by_size) {
  double loss = 0, rest = 0;
  int groups = 0;
  Part group;
  for (const auto& [size, part] : by_size) rest += part.denominator;
  const double enough = rest / 8;
  for (const auto& [size, part] : by_size) {
    group.numerator += part.numerator;
    group.denominator += part.denominator;
    rest -= part.denominator;
    if (group.denominator < enough && rest > 0) continue;
    if (group.denominator > 0) {
      loss += metric_value(metric, group);
      ++groups;
    }
    group = {};
  }
  if (groups == 0) return 0;
  return metric.lower_is_better() ? loss / groups : -loss / groups;
}

std::string catalogue_fingerprint() {
  Fingerprint fingerprint;
  for (const auto& info : learners()) {
    fingerprint.add(info.name);
    for (const auto& option : info.all_options()) fingerprint.add(option.name).add(option.default_value.dump());
  }
  return fingerprint.hex();
}

}  // namespace fewshop
