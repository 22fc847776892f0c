#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "core/parallel.h"
#include "core/progress.h"
#include "evaluate/outcome.h"
#include "task/problem.h"

namespace fewshop {

/// The episodes of a test cell at every point of the report, headline first: a label each, and per task an episode or
/// none.
struct PointEpisodes {
  std::string label;
  std::vector<std::pair<int32_t, Episode>> episodes;  // position in the cell's tasks
};
std::vector<PointEpisodes> point_episodes(const LoadedProblem& problem, const TestCell& cell);

/// Of all points together.
int64_t episodes_of(const std::vector<PointEpisodes>& points);

/// Asks about every task of every test cell, at every point, tasks over threads. `start()`: a unique_ptr to what one
/// thread needs; `answer(task, episode, that)`: its TaskOutcome.
template <class Start, class AnswerTask>
std::vector<SplitOutcome> run_cells(const LoadedProblem& problem, int threads, const Start& start,
                                    const AnswerTask& answer) {
  std::vector<decltype(start())> own(static_cast<size_t>(thread_count(threads)));
  std::vector<SplitOutcome> splits;
  for (const auto& cell : problem.partition.test) {
    const auto points = point_episodes(problem, cell);
    Progress progress("evaluate " + cell.name, episodes_of(points));
    std::mutex progress_mutex;
    const auto run = [&](const PointEpisodes& point) {
      ShotOutcome outcome{point.label, std::vector<TaskOutcome>(point.episodes.size())};
      parallel_for(std::ssize(point.episodes), threads, 16, [&](int64_t begin, int64_t end, int worker) {
        if (!own[worker]) own[worker] = start();
        for (int64_t i = begin; i < end; ++i) {
          const auto& [position, episode] = point.episodes[i];
          outcome.tasks[i] = answer(cell.tasks[position].task, episode, *own[worker]);
        }
        const std::lock_guard lock(progress_mutex);
        progress.advance(end - begin);
      });
      return outcome;
    };
    SplitOutcome split{cell.name, run(points[0]), {}};
    for (size_t i = 1; i < points.size(); ++i) split.shots.push_back(run(points[i]));
    splits.push_back(std::move(split));
  }
  return splits;
}

/// The first episodes of the headline, cell after cell: at most so many, each as `ask(episode)`.
template <class Ask>
auto first_episodes(const LoadedProblem& problem, size_t at_most, const Ask& ask) {
  std::vector<decltype(ask(std::declval<const Episode&>()))> asked;
  for (const auto& cell : problem.partition.test)
    for (const auto& task : cell.tasks) {
      if (asked.size() == at_most) return asked;
      if (const auto episode = headline_episode(problem.data, problem.scenario, task)) asked.push_back(ask(*episode));
    }
  return asked;
}

}  // namespace fewshop
