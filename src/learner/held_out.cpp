#include "learner/held_out.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "core/parallel.h"
#include "core/progress.h"
#include "evaluate/rank.h"
#include "learner/held_out_tasks.h"
#include "task/groups.h"
#include "task/support_rows.h"

namespace fewshop {
namespace {

constexpr size_t kMaxQueryRows = 200;  // of a rating episode with query = "rest"
constexpr int kTopCandidates = 200, kRandomCandidates = 200;

/// Distinct groups of some rows (rows are in episode order).
int count_groups(const Dataset& data, const std::vector<int32_t>& rows) {
  int groups = 0;
  for (size_t i = 0; i < rows.size(); ++i) groups += i == 0 || data.group[rows[i]] != data.group[rows[i - 1]];
  return groups;
}

/// The rows of the first `groups` groups, or of the last ones.
std::vector<int32_t> first_groups(const Dataset& data, const std::vector<int32_t>& rows, int groups) {
  std::vector<int32_t> out;
  int seen = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    seen += i == 0 || data.group[rows[i]] != data.group[rows[i - 1]];
    if (seen > groups) break;
    out.push_back(rows[i]);
  }
  return out;
}

std::vector<int32_t> last_groups(const Dataset& data, const std::vector<int32_t>& rows, int groups) {
  std::vector<int32_t> out;
  int seen = 0;
  for (size_t i = rows.size(); i-- > 0;) {
    seen += i + 1 == rows.size() || data.group[rows[i]] != data.group[rows[i + 1]];
    if (seen > groups) break;
    out.push_back(rows[i]);
  }
  std::reverse(out.begin(), out.end());
  return out;
}

/// The rows of a task whose item is hidden, or those whose item is not.
TaskRows split_hidden(const Dataset& data, const TaskRows& task, const std::vector<uint8_t>& hidden, bool want_hidden) {
  TaskRows out{task.task, {}, 0};
  for (int32_t i = 0; i < static_cast<int32_t>(task.rows.size()); ++i) {
    if ((hidden[data.item[task.rows[i]]] != 0) != want_hidden) continue;
    out.query_from += i < task.query_from;
    out.rows.push_back(task.rows[i]);
  }
  return out;
}

int wanted_query(const Scenario& scenario) {
  return scenario.episode.query == EpisodeSpec::Query::kCount ? scenario.episode.query_count : 10;
}

/// Hidden items in the query only: the hidden rows that follow the support, at most as many as the scenario asks for.
std::optional<Episode> new_query_episode(const Dataset& data, const Scenario& scenario, const Episode& natural,
                                         const TaskRows& hidden) {
  Episode episode{natural.task, natural.support, {}};
  const int32_t after = natural.support.empty() ? -1 : data.group[natural.support.back()];
  std::set<int32_t> known;  // groups of the support: what is never parted is not asked for either
  for (const int32_t r : natural.support) known.insert(data.group[r]);
  std::vector<int32_t> later;
  for (size_t i = static_cast<size_t>(hidden.query_from); i < hidden.rows.size(); ++i)
    if (!known.contains(data.group[hidden.rows[i]]) &&
        (!scenario.episode.by_time || data.group[hidden.rows[i]] > after))
      later.push_back(hidden.rows[i]);
  episode.query = last_groups(data, later, wanted_query(scenario));
  if (episode.query.empty()) return std::nullopt;
  return episode;
}

/// Nothing but hidden items: as many groups of query as the scenario asks for, at most half of what there is.
std::optional<Episode> new_only_episode(const Dataset& data, const Scenario& scenario, const TaskRows& hidden,
                                        int support) {
  const int groups = count_groups(data, hidden.rows);
  if (scenario.episode.rows_max > 0 && groups > scenario.episode.rows_max) return std::nullopt;
  const int query = std::min(wanted_query(scenario), (groups + 1) / 2);
  if (query < 1 || support > groups - query) return std::nullopt;
  Episode episode{hidden.task, first_groups(data, hidden.rows, support), last_groups(data, hidden.rows, query)};
  if (episode.query.size() + hidden.query_from > hidden.rows.size()) return std::nullopt;  // it begins before the cut
  return episode;
}

/// Predictions: spreads a long query over kMaxQueryRows of its rows. A ranking keeps all: what is left out would stand
/// among the negatives.
void cap_query(const Scenario& scenario, HeldOutEpisode& held) {
  auto& query = held.episode.query;
  const size_t n = query.size();
  if (scenario.problem == Problem::kRanking || n <= kMaxQueryRows) return;
  for (size_t i = 0; i < kMaxQueryRows; ++i) query[i] = query[i * n / kMaxQueryRows];
  query.resize(kMaxQueryRows);
  held.row_weight = static_cast<double>(n) / static_cast<double>(kMaxQueryRows);
}

struct Asked {
  std::vector<SupportRow> support;
  std::vector<ColumnView> description;
  TaskView view() const { return {support, description}; }
};

Asked ask(const Dataset& data, const Episode& episode) {
  return {support_rows(data, episode.support, episode_time(data, episode.support, episode.query)),
          data.task_features.row(episode.task)};
}

std::vector<int32_t> items_of(const Dataset& data, const std::vector<int32_t>& rows) {
  std::vector<int32_t> items;
  for (const int32_t r : rows) items.push_back(data.item[r]);
  return items;
}

std::vector<int32_t> sorted_unique(std::vector<int32_t> items) {
  std::sort(items.begin(), items.end());
  items.erase(std::unique(items.begin(), items.end()), items.end());
  return items;
}

/// Excluded items of a ranking: those of the support where the scenario says so.
std::vector<int32_t> excluded_items(const Dataset& data, const Scenario& scenario, const Episode& episode) {
  return scenario.exclude_seen ? sorted_unique(items_of(data, episode.support)) : std::vector<int32_t>();
}

uint64_t tie_seed(const Episode& episode) { return 0x7465 + static_cast<uint64_t>(episode.task); }

Sample rating_sample(const Dataset& data, const MemberList& list, const std::vector<int32_t>& counts,
                     const HeldOutEpisode& held, std::vector<std::unique_ptr<Workspace>>& workspaces) {
  Sample sample{held.episode.task, held.support, held.way, held.row_weight, {}, {}, {}, {}, {}};
  const auto items = items_of(data, held.episode.query);
  const size_t n = items.size();
  for (size_t i = 0; i < n; ++i) {
    sample.cell.push_back(static_cast<uint8_t>(item_cell(counts[items[i]])));
    sample.target.push_back(data.target[held.episode.query[i]]);
  }
  sample.score.resize(n * list.members.size());
  if (list.learner >= 0) sample.variance.resize(n);
  const Asked asked = ask(data, held.episode);
  for (size_t m = 0; m < list.members.size(); ++m) {
    list.members[m]->adapt(asked.view(), *workspaces[m]);
    list.members[m]->score(
        *workspaces[m], items, std::span(sample.score).subspan(m * n, n),
        static_cast<int>(m) == list.learner ? std::span<float>(sample.variance) : std::span<float>());
  }
  return sample;
}

Sample ranking_sample(const Dataset& data, const Scenario& scenario, const MemberList& list,
                      const std::vector<int32_t>& counts, const HeldOutEpisode& held, Random random,
                      std::vector<std::unique_ptr<Workspace>>& workspaces, std::vector<float>& scores) {
  Sample sample{held.episode.task, held.support, held.way, held.row_weight, {}, {}, {}, {}, {}};
  const auto items = static_cast<int32_t>(data.items());
  const size_t members = list.members.size();
  scores.resize(members * items);
  const Asked asked = ask(data, held.episode);
  std::vector<uint8_t> excluded(items, 0);
  for (const int32_t item : excluded_items(data, scenario, held.episode)) excluded[item] = 1;
  std::vector<int32_t> pool;  // what is ranked: everything, unseen items too, or nothing would hold their scores down
  for (int32_t i = 0; i < items; ++i)
    if (!excluded[i]) pool.push_back(i);
  const auto positives = sorted_unique(items_of(data, held.episode.query));
  std::vector<int32_t> chosen = positives, order;
  for (size_t m = 0; m < members; ++m) {
    const std::span<float> row = std::span(scores).subspan(m * items, items);
    list.members[m]->adapt(asked.view(), *workspaces[m]);
    list.members[m]->score_all(*workspaces[m], row);
    order = pool;
    const size_t keep = std::min<size_t>(kTopCandidates, order.size());
    std::partial_sort(order.begin(), order.begin() + static_cast<int64_t>(keep), order.end(),
                      [&](int32_t a, int32_t b) { return row[a] > row[b] || (row[a] == row[b] && a < b); });
    chosen.insert(chosen.end(), order.begin(), order.begin() + static_cast<int64_t>(keep));
  }
  chosen = sorted_unique(std::move(chosen));
  std::erase_if(chosen, [&](int32_t i) { return excluded[i] != 0; });
  const size_t certain = chosen.size();
  std::vector<int32_t> rest;
  std::set_difference(pool.begin(), pool.end(), chosen.begin(), chosen.end(), std::back_inserter(rest));
  const size_t drawn = std::min<size_t>(kRandomCandidates, rest.size());
  for (size_t i = 0; i < drawn; ++i) {
    std::swap(rest[i], rest[i + random.below(rest.size() - i)]);
    chosen.push_back(rest[i]);
  }
  const float stands_for = drawn ? std::log(static_cast<float>(rest.size()) / static_cast<float>(drawn)) : 0;
  const size_t n = chosen.size();
  sample.score.resize(members * n);
  for (size_t i = 0; i < n; ++i) {
    sample.cell.push_back(static_cast<uint8_t>(item_cell(counts[chosen[i]])));
    sample.target.push_back(std::binary_search(positives.begin(), positives.end(), chosen[i]) ? 1 : 0);
    sample.log_weight.push_back(i < certain ? 0 : stands_for);
    for (size_t m = 0; m < members; ++m) sample.score[m * n + i] = scores[m * items + chosen[i]];
  }
  return sample;
}

}  // namespace

Metric judging_metric(const Scenario& scenario) {
  const Metric first = parse_metric(scenario.metrics.front(), scenario.problem);
  return first.kind == Metric::Kind::kAuc && scenario.problem != Problem::kRanking
             ? parse_metric("gauc", scenario.problem)
             : first;
}

bool counts_rows(const Metric& metric) {
  return metric.kind == Metric::Kind::kRmse || metric.kind == Metric::Kind::kF1;
}

namespace {

bool refined_by_cell(const Metric& metric) {
  return metric.kind == Metric::Kind::kMae || metric.kind == Metric::Kind::kRmse;
}

std::array<Part, kItemCells + 1> rating_parts(const Metric& metric, float positive_above, const Sample& sample,
                                              std::span<const float> score) {
  std::array<Part, kItemCells + 1> parts{};
  const auto judge = [&](std::span<const float> target, std::span<const float> predicted) {
    Part part =
        rated_part(metric, RatedList(target, predicted, positive_above, 0x7465 + static_cast<uint64_t>(sample.task)));
    if (counts_rows(metric)) {
      part.numerator *= sample.row_weight;
      part.denominator *= sample.row_weight;
    }
    return part;
  };
  parts[kItemCells] = judge(sample.target, score);
  if (!refined_by_cell(metric)) return parts;
  std::vector<float> target, predicted;
  for (int cell = 0; cell < kItemCells; ++cell) {
    target.clear();
    predicted.clear();
    for (size_t i = 0; i < sample.cell.size(); ++i) {
      if (sample.cell[i] != cell) continue;
      target.push_back(sample.target[i]);
      predicted.push_back(score[i]);
    }
    if (!target.empty()) parts[cell] = judge(target, predicted);
  }
  return parts;
}

}  // namespace

std::vector<int> held_out_sizes(const Dataset& data, const Scenario& scenario, const TaskSet& tasks) {
  int largest = scenario.episode.support_max;
  std::set<int> sizes;
  for (const auto& shot : scenario.episode.shots) {
    if (shot.share <= 0)
      sizes.insert(shot.count);
    else
      for (const auto& task : tasks)
        largest = std::max(largest, static_cast<int>(shot.share * count_groups(data, task.rows)));
  }
  for (const int k : {0, 1, 2, 3, 5, 8, 13, 20, 30, 50, 80, 130, 200, 320, 500, 800})
    if (k <= largest) sizes.insert(k);
  return {sizes.begin(), sizes.end()};
}

std::vector<HeldOutEpisode> held_out_episodes(const Dataset& data, const Scenario& scenario, const TaskSet& tasks,
                                              const std::vector<int>& sizes, const std::vector<uint8_t>* hidden) {
  std::vector<HeldOutEpisode> out;
  const auto add = [&](Episode episode, Way way) {
    const int support = count_groups(data, episode.support);
    out.push_back({std::move(episode), way, support, 1});
    cap_query(scenario, out.back());
  };
  for (const auto& task : tasks) {
    const TaskRows natural = hidden ? split_hidden(data, task, *hidden, false) : task;
    const TaskRows new_rows = hidden ? split_hidden(data, task, *hidden, true) : TaskRows{task.task, {}, 0};
    const int groups = count_groups(data, task.rows);
    const bool admitted =
        groups >= scenario.episode.rows_min && (scenario.episode.rows_max == 0 || groups <= scenario.episode.rows_max);
    // The next group follows its support at once: it is no question about a smaller one.
    const int least = scenario.episode.query == EpisodeSpec::Query::kNext ? groups_of(data, natural).query_begin : 0;
    for (const int size : sizes) {
      if (size < least) continue;
      Shot shot;
      shot.count = size;
      if (auto episode = admitted ? episode_at(data, scenario, natural, shot) : std::nullopt) {
        if (auto with_new = new_query_episode(data, scenario, *episode, new_rows))
          add(std::move(*with_new), Way::kNewQuery);
        add(std::move(*episode), Way::kNatural);
      }
      if (auto episode = new_only_episode(data, scenario, new_rows, size)) add(std::move(*episode), Way::kNewOnly);
    }
    if (!admitted) continue;
    if (auto episode = headline_episode(data, scenario, natural)) add(std::move(*episode), Way::kNatural);
  }
  return out;
}

std::vector<Sample> collect_samples(const Dataset& data, const Scenario& scenario, const MemberList& list,
                                    const std::vector<int32_t>& counts, const std::vector<HeldOutEpisode>& episodes,
                                    uint64_t seed, int threads) {
  std::vector<Sample> samples(episodes.size());
  const Random root = Random(seed).fork("samples");
  parallel_for(static_cast<int64_t>(episodes.size()), threads, 64, [&](int64_t begin, int64_t end, int) {
    std::vector<std::unique_ptr<Workspace>> workspaces;
    for (const Member* member : list.members) workspaces.push_back(member->workspace());
    std::vector<float> scores;
    for (int64_t i = begin; i < end; ++i)
      samples[i] = scenario.problem == Problem::kRating
                       ? rating_sample(data, list, counts, episodes[i], workspaces)
                       : ranking_sample(data, scenario, list, counts, episodes[i], root.fork(i), workspaces, scores);
  });
  return samples;
}

std::vector<Judgement> judge_ratings(const Metric& metric, float positive_above, const std::vector<Sample>& samples,
                                     int methods,
                                     const std::function<void(const Sample&, int, std::span<float>)>& score_of,
                                     int threads) {
  std::vector<Judgement> judgements(samples.size());
  parallel_for(static_cast<int64_t>(samples.size()), threads, 256, [&](int64_t begin, int64_t end, int) {
    std::vector<float> score;
    for (int64_t i = begin; i < end; ++i) {
      const Sample& sample = samples[i];
      Judgement& judgement = judgements[i];
      judgement = {sample.task, sample.support, sample.way, {}};
      score.resize(sample.target.size());
      for (int m = 0; m < methods; ++m) {
        score_of(sample, m, score);
        judgement.methods.push_back(rating_parts(metric, positive_above, sample, score));
      }
    }
  });
  return judgements;
}

std::array<Part, kItemCells + 1> judge_ranking(const Metric& metric, const Dataset& data, const Scenario& scenario,
                                               const Episode& episode, std::span<const float> scores) {
  const auto excluded = excluded_items(data, scenario, episode);
  auto query = sorted_unique(items_of(data, episode.query));
  std::erase_if(query, [&](int32_t q) { return std::binary_search(excluded.begin(), excluded.end(), q); });
  std::vector<int32_t> ranks(query.size());
  count_ranks(scores, query, excluded, tie_seed(episode), ranks);
  std::sort(ranks.begin(), ranks.end());
  const auto items = static_cast<int32_t>(scores.size());
  std::array<Part, kItemCells + 1> parts{};
  parts[kItemCells] = ranked_part(metric, ranks, items - static_cast<int32_t>(excluded.size()));
  return parts;
}

namespace {

/// Absolute errors after the median error of each way is taken off.
void recentre(const std::vector<HeldOutEpisode>& episodes, const std::vector<std::vector<float>>& errors,
              std::vector<Part>& parts) {
  for (const Way way : {Way::kNatural, Way::kNewQuery, Way::kNewOnly}) {
    std::vector<float> all;
    for (size_t i = 0; i < episodes.size(); ++i)
      if (episodes[i].way == way) all.insert(all.end(), errors[i].begin(), errors[i].end());
    if (all.empty()) continue;
    const auto middle = all.begin() + static_cast<int64_t>(all.size() / 2);
    std::nth_element(all.begin(), middle, all.end());
    for (size_t i = 0; i < episodes.size(); ++i) {
      if (episodes[i].way != way || errors[i].empty()) continue;
      double sum = 0;
      for (const float error : errors[i]) sum += std::abs(error - *middle);
      parts[i].numerator = sum / static_cast<double>(errors[i].size());
    }
  }
}

}  // namespace

double member_loss(const Dataset& data, const Scenario& scenario, const Member& member, const Metric& metric,
                   float positive_above, const std::vector<HeldOutEpisode>& episodes, int threads, bool recentred) {
  std::vector<Part> parts(episodes.size());
  std::vector<std::vector<float>> errors(episodes.size());
  recentred = recentred && metric.kind == Metric::Kind::kMae;
  parallel_for(static_cast<int64_t>(episodes.size()), threads, 64, [&](int64_t begin, int64_t end, int) {
    const auto workspace = member.workspace();
    std::vector<float> scores, target;
    for (int64_t i = begin; i < end; ++i) {
      const Episode& episode = episodes[i].episode;
      const Asked asked = ask(data, episode);
      member.adapt(asked.view(), *workspace);
      if (scenario.problem == Problem::kRanking) {
        scores.resize(data.items());
        member.score_all(*workspace, scores);
        parts[i] = judge_ranking(metric, data, scenario, episode, scores)[kItemCells];
        continue;
      }
      const auto items = items_of(data, episode.query);
      scores.resize(items.size());
      target.clear();
      for (const int32_t r : episode.query) target.push_back(data.target[r]);
      member.score(*workspace, items, scores, {});
      parts[i] = rated_part(metric, RatedList(target, scores, positive_above, tie_seed(episode)));
      for (size_t q = 0; recentred && q < items.size(); ++q) errors[i].push_back(target[q] - scores[q]);
      if (!counts_rows(metric)) continue;
      parts[i].numerator *= episodes[i].row_weight;
      parts[i].denominator *= episodes[i].row_weight;
    }
  });
  if (recentred) recentre(episodes, errors, parts);
  std::map<Way, std::map<int, Part>> sums;
  for (size_t i = 0; i < episodes.size(); ++i) {
    Part& sum = sums[episodes[i].way][std::min(episodes[i].support, 1000)];
    sum.numerator += parts[i].numerator;
    sum.denominator += parts[i].denominator;
  }
  // Sizes of few tasks would add noise: they are merged.
  double total = 0;
  int ways = 0;
  std::string told;
  for (const auto& [way, by_size] : sums) {
    const bool any =
        std::any_of(by_size.begin(), by_size.end(), [](const auto& s) { return s.second.denominator > 0; });
    if (!any) continue;
    const double loss = mean_over_sizes(metric, by_size);
    total += loss;
    ++ways;
    told += fmt::format(" {:.4f}", metric.lower_is_better() ? loss : -loss);
  }
  verbose(fmt::format("{}: {} by way (natural, new in query, only new):{}", member.name(), metric.name, told));
  return ways ? total / ways : 0;
}

float middle_target(const Dataset& data, const TaskSet& tasks) {
  float low = 0, high = 0;
  bool first = true;
  for (const auto& task : tasks)
    for (const int32_t r : task.rows) {
      low = first ? data.target[r] : std::min(low, data.target[r]);
      high = first ? data.target[r] : std::max(high, data.target[r]);
      first = false;
    }
  return (low + high) / 2;
}

}  // namespace fewshop
