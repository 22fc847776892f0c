#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "evaluate/metric.h"
#include "runtime/member.h"
#include "runtime/stack.h"
#include "task/dataset.h"

namespace fewshop {

/// How a held-out episode meets items that the members have not seen.
enum class Way : uint8_t {
  kNatural,   // no hidden item anywhere
  kNewQuery,  // hidden items in the query only
  kNewOnly    // hidden items in support and query, nothing else
};

/// One episode that stack, gate, constants or early stopping are fitted on.
struct HeldOutEpisode {
  Episode episode;
  Way way = Way::kNatural;
  int support = 0;        // groups
  double row_weight = 1;  // how many query rows each of those that are left stands for
};

/// Support sizes that weights are fitted at: a growing grid up to the scenario's largest support, and its shots.
std::vector<int> held_out_sizes(const Dataset& data, const Scenario& scenario, const TaskSet& tasks);

/// Episodes of held-out tasks at the given sizes and at the headline size, drawn three ways where `hidden` marks items
/// (else only naturally). rows = [min, max] of the scenario admits tasks to the first two ways; to the third it admits
/// by at most max hidden rows, so that large tasks stand for tasks of new items only. Deterministic.
std::vector<HeldOutEpisode> held_out_episodes(const Dataset& data, const Scenario& scenario, const TaskSet& tasks,
                                              const std::vector<int>& sizes, const std::vector<uint8_t>* hidden);

/// The metric that constants, early stopping, stack and gate are judged by: the scenario's first one. `auc` is no sum
/// over tasks; outside of rankings `gauc` stands for it.
Metric judging_metric(const Scenario& scenario);

/// Whether a task weighs by its query rows in a metric, as in rmse and f1; in all others tasks weigh alike.
bool counts_rows(const Metric& metric);

/// What the members answered for one held-out episode, n query rows (rating) or candidates (ranking), M members.
struct Sample {
  int32_t task = 0;
  int support = 0;
  Way way = Way::kNatural;
  double row_weight = 1;          // as in HeldOutEpisode
  std::vector<uint8_t> cell;      // [n]
  std::vector<float> target;      // [n] rating: the target; ranking: 1 = a query item
  std::vector<float> score;       // [M, n]
  std::vector<float> variance;    // [n] the learner's; empty without one
  std::vector<float> log_weight;  // [n] ranking: log of how many items the candidate stands for
};

/// The members whose answers are mixed; `learner` is the position of the learner among them, -1 = none.
struct MemberList {
  std::vector<const Member*> members;
  int learner = -1;
};

/// Asks all members for all episodes. For ranks the candidates are the query items, each member's best 200 and 200
/// drawn uniformly, which stand for the rest.
std::vector<Sample> collect_samples(const Dataset& data, const Scenario& scenario, const MemberList& list,
                                    const std::vector<int32_t>& item_counts,
                                    const std::vector<HeldOutEpisode>& episodes, uint64_t seed, int threads);

/// What one episode adds to a metric, split by the cell of the query item where the metric is an error of predictions;
/// the last entry is the whole list.
struct Judgement {
  int32_t task = 0;
  int support = 0;
  Way way = Way::kNatural;
  std::vector<std::array<Part, kItemCells + 1>> methods;
};

/// Judges mixed or single scores of rating samples: `score_of(sample, method, out [n])`.
std::vector<Judgement> judge_ratings(
    const Metric& metric, float positive_above, const std::vector<Sample>& samples, int methods,
    const std::function<void(const Sample&, int method, std::span<float> out)>& score_of, int threads);

/// The same for one episode of a ranking problem: the ranks of the query items by every method's scores of all items.
std::array<Part, kItemCells + 1> judge_ranking(const Metric& metric, const Dataset& data, const Scenario& scenario,
                                               const Episode& episode, std::span<const float> scores);

/// The mean metric of one member over episodes, turned so that lower is better; averaged over ways, and within each
/// over support sizes. What constants and the number of epochs are chosen by.
///
/// `recentred` takes the median error off before absolute errors are summed (mae): a member that predicts means and
/// goes into a mix that is fitted to absolute errors is not to be chosen by how far its means are from medians.
double member_loss(const Dataset& data, const Scenario& scenario, const Member& member, const Metric& metric,
                   float positive_above, const std::vector<HeldOutEpisode>& episodes, int threads,
                   bool recentred = false);

/// The middle of the target range: what lies above counts as positive in metrics that need positives.
float middle_target(const Dataset& data, const TaskSet& tasks);

}  // namespace fewshop
