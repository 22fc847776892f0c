#include "evaluate/test_cells.h"

#include <optional>
#include <tuple>

namespace fewshop {

std::vector<PointEpisodes> point_episodes(const LoadedProblem& problem, const TestCell& cell) {
  const auto& [data, scenario] = std::tie(problem.data, problem.scenario);
  std::vector<PointEpisodes> points{{"headline", {}}};
  for (const auto& shot : scenario.episode.shots) points.push_back({shot.label(), {}});
  for (size_t t = 0; t < cell.tasks.size(); ++t) {
    const auto keep = [&](PointEpisodes& point, std::optional<Episode> episode) {
      if (episode) point.episodes.emplace_back(static_cast<int32_t>(t), std::move(*episode));
    };
    keep(points[0], headline_episode(data, scenario, cell.tasks[t]));
    for (size_t s = 0; s < scenario.episode.shots.size(); ++s)
      keep(points[s + 1], episode_at(data, scenario, cell.tasks[t], scenario.episode.shots[s]));
  }
  return points;
}

int64_t episodes_of(const std::vector<PointEpisodes>& points) {
  int64_t total = 0;
  for (const auto& point : points) total += std::ssize(point.episodes);
  return total;
}

}  // namespace fewshop
