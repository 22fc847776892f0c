#include <algorithm>
#include <cmath>
#include <numeric>
#include <unordered_set>

#include "task/dataset.h"
#include "task/groups.h"

namespace fewshop {
namespace {

using Query = EpisodeSpec::Query;

/// Half-open ranges of groups.
struct Plan {
  int32_t support_begin, support_end, query_begin, query_end;
};

void append_groups(const TaskRows& task, const Groups& groups, int32_t begin, int32_t end, std::vector<int32_t>& rows) {
  rows.insert(rows.end(), task.rows.begin() + groups.begin[begin], task.rows.begin() + groups.begin[end]);
}

/// With seen = "exclude" an item of the support is no answer, so it is no question either.
void drop_seen(const Dataset& data, const Scenario& scenario, Episode& episode) {
  if (scenario.problem != Problem::kRanking || !scenario.exclude_seen) return;
  std::unordered_set<int32_t> seen;
  for (const int32_t row : episode.support) seen.insert(data.item[row]);
  std::erase_if(episode.query, [&](int32_t row) { return seen.contains(data.item[row]); });
}

std::optional<Episode> make_episode(const Dataset& data, const Scenario& scenario, const TaskRows& task,
                                    const Groups& groups, const Plan& plan) {
  if (plan.query_begin >= plan.query_end) return std::nullopt;
  Episode episode{task.task, {}, {}};
  append_groups(task, groups, plan.support_begin, plan.support_end, episode.support);
  append_groups(task, groups, plan.query_begin, plan.query_end, episode.query);
  drop_seen(data, scenario, episode);
  if (episode.query.empty()) return std::nullopt;
  return episode;
}

/// The query where it is the same at every support size: by role, the last `query` groups, or what follows
/// `query_after`. Nothing with "rest" and "next", whose query follows the support.
std::optional<std::pair<int32_t, int32_t>> fixed_query(const EpisodeSpec& spec, const Groups& groups) {
  if (groups.fixed) return std::pair{groups.query_begin, groups.query_end};
  const int32_t count = groups.count();
  if (spec.query == Query::kCount) return std::pair{std::max({0, count - spec.query_count, groups.query_begin}), count};
  if (spec.query == Query::kRest && spec.query_after > 0)
    return std::pair{std::min(count, std::max(spec.query_after, groups.query_begin)), count};
  return std::nullopt;
}

/// Row numbers in episode order: they ascend where the dataset's order is the task's order.
void sort_rows(std::vector<int32_t>& rows) { std::sort(rows.begin(), rows.end()); }

/// Whole groups from `order` until `limit` groups or `max_query` rows are reached; a first group above `max_query`
/// rows gives a random part of its rows.
void take_query(const TaskRows& task, const Groups& groups, const std::vector<int32_t>& order, int32_t limit,
                int max_query, Random& random, std::vector<int32_t>& query) {
  for (int32_t i = 0; i < std::min<int64_t>(limit, order.size()); ++i) {
    const int32_t g = order[i];
    const int32_t size = groups.begin[g + 1] - groups.begin[g];
    if (!query.empty() && query.size() + size > max_query) break;
    append_groups(task, groups, g, g + 1, query);
  }
  if (query.size() > max_query) {
    random.shuffle(query);
    query.resize(max_query);
  }
  sort_rows(query);
}

/// Groups in the order that a training draw takes them from: by time, or shuffled.
std::vector<int32_t> draw_order(const Dataset& data, const Scenario& scenario, const TaskRows& task,
                                const Groups& groups, Random& random) {
  std::vector<int32_t> order(groups.count());
  std::iota(order.begin(), order.end(), 0);
  if (!scenario.episode.by_time) {
    random.shuffle(order);
  } else if (!data.role.empty()) {
    // Roles come before time in the dataset's order; a draw follows time alone.
    std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
      return data.time[task.rows[groups.begin[a]]] < data.time[task.rows[groups.begin[b]]];
    });
  }
  return order;
}

}  // namespace

std::optional<Episode> episode_at(const Dataset& data, const Scenario& scenario, const TaskRows& task,
                                  const Shot& shot) {
  const Groups groups = groups_of(data, task);
  const int32_t count = groups.count();
  // The small number keeps 80 % of 10 groups from becoming 7.
  const int32_t k = shot.share > 0 ? static_cast<int32_t>(shot.share * count + 1e-9) : shot.count;
  if (const auto query = fixed_query(scenario.episode, groups)) {
    if (k > query->first) return std::nullopt;
    return make_episode(data, scenario, task, groups, {0, k, query->first, query->second});
  }
  if (k >= count) return std::nullopt;
  const int32_t begin = std::max(k, groups.query_begin);
  const int32_t end = scenario.episode.query == Query::kNext ? std::min(begin + 1, count) : count;
  return make_episode(data, scenario, task, groups, {0, k, begin, end});
}

std::optional<Episode> headline_episode(const Dataset& data, const Scenario& scenario, const TaskRows& task) {
  const Groups groups = groups_of(data, task);
  const int32_t count = groups.count();
  const int32_t most = scenario.episode.support_max;
  int32_t begin = 0, end = count;
  if (const auto query = fixed_query(scenario.episode, groups)) {
    std::tie(begin, end) = *query;
  } else if (scenario.episode.query == Query::kNext) {
    begin = count - 1;
    if (begin < groups.query_begin) return std::nullopt;
  } else {
    begin = std::max(std::min(most, count - 1), groups.query_begin);
  }
  if (begin < 0) return std::nullopt;
  return make_episode(data, scenario, task, groups, {std::max(0, begin - most), begin, begin, end});
}

std::optional<Episode> draw_episode(const Dataset& data, const Scenario& scenario, const TaskRows& task, int max_query,
                                    Random& random) {
  const EpisodeSpec& spec = scenario.episode;
  const Groups groups = groups_of(data, task);
  const int32_t count = groups.count();
  if (count < 1 || max_query < 1) return std::nullopt;
  // A full query is left over where the task has room for it; a smaller task is halved.
  const int32_t wanted = spec.query == Query::kCount ? spec.query_count : 1;
  const int32_t room = count >= 2 * wanted ? count - wanted : count / 2;
  const int32_t most = std::min(spec.support_max, room), least = std::min(spec.support_min, most);
  if (most == 0 && spec.support_min > 0) return std::nullopt;
  const auto k = static_cast<int32_t>(random.between(least, most));

  std::vector<int32_t> order = draw_order(data, scenario, task, groups, random);
  Episode episode{task.task, {}, {}};
  for (int32_t i = 0; i < k; ++i) append_groups(task, groups, order[i], order[i] + 1, episode.support);
  sort_rows(episode.support);
  order.erase(order.begin(), order.begin() + k);
  // By time the query is the next group, or any later ones.
  if (spec.by_time && spec.query != Query::kNext) random.shuffle(order);
  const int32_t limit = spec.query == Query::kNext ? 1 : spec.query == Query::kCount ? spec.query_count : count;
  take_query(task, groups, order, limit, max_query, random, episode.query);
  drop_seen(data, scenario, episode);
  if (episode.query.empty()) return std::nullopt;
  return episode;
}

std::vector<int32_t> item_counts(const Dataset& data, const TaskSet& tasks) {
  std::vector<int32_t> counts(data.items());
  for (const auto& task : tasks)
    for (const int32_t row : task.rows)
      if (data.item[row] >= 0) ++counts[data.item[row]];
  return counts;
}

}  // namespace fewshop
