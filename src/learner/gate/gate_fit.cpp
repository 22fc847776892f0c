#include "learner/gate/gate_fit.h"

#include <cmath>
#include <map>

#include "core/progress.h"

namespace fewshop {
namespace {

constexpr double kOneSided95 = 1.644854;
constexpr int kFewestTasks = 20;  // below, no size opens
constexpr int kCellTasks = 200;   // below, a cell follows the whole list

/// What a method adds to the metric's numerator, turned so that larger is better (rmse: squared errors).
double value_of(const Metric& metric, const Part& part) {
  return metric.lower_is_better() ? -part.numerator : part.numerator;
}

/// What one task gains at some sizes: differences of numerators over denominators, so that tasks weigh as in the metric
/// (alike in a mean over tasks, by their query rows in rmse). Episodes of several sizes count as one.
struct TaskGain {
  double numerator = 0, denominator = 0, episodes = 0;
};
using TaskGains = std::map<int32_t, TaskGain>;

void add(TaskGain& gain, const Metric& metric, const Part& method, const Part& other) {
  gain.numerator += value_of(metric, method) - value_of(metric, other);
  gain.denominator += method.denominator;
  gain.episodes += 1;
}

/// The gain in the metric over tasks, sum of numerators over sum of denominators, and its standard error.
struct Gain {
  double mean = 0, error = 0;
  int tasks = 0;
  double lower() const { return mean - kOneSided95 * error; }
};

/// Cochran. "Sampling techniques." 1977, chapter 6 (variance of a ratio).
Gain summarize(const std::vector<const TaskGains*>& pooled) {
  TaskGains by_task;
  for (const auto* gains : pooled)
    for (const auto& [task, gain] : *gains) {
      by_task[task].numerator += gain.numerator;
      by_task[task].denominator += gain.denominator;
      by_task[task].episodes += gain.episodes;
    }
  Gain result;
  result.tasks = static_cast<int>(by_task.size());
  if (by_task.empty()) return result;
  double numerator = 0, denominator = 0, square = 0;
  for (auto& [task, gain] : by_task) {
    numerator += gain.numerator /= gain.episodes;
    denominator += gain.denominator /= gain.episodes;
  }
  result.mean = numerator / denominator;
  for (const auto& [task, gain] : by_task) {
    const double d = gain.numerator - result.mean * gain.denominator;
    square += d * d;
  }
  const double n = result.tasks;
  result.error = n > 1 ? std::sqrt(square * n / (n - 1)) / denominator : INFINITY;
  return result;
}

/// The gain at sizes first to last, as far as there are any.
Gain pooled_gain(const std::vector<TaskGains>& by_size, int first, int last) {
  std::vector<const TaskGains*> pooled;
  for (int i = std::max(0, first); i <= std::min(static_cast<int>(by_size.size()) - 1, last); ++i)
    pooled.push_back(&by_size[i]);
  return summarize(pooled);
}

bool proven(const Gain& gain) { return gain.tasks >= kFewestTasks && gain.lower() > 0; }

/// Whether each size opens, from the gains of each size.
std::vector<uint8_t> decide(const std::vector<TaskGains>& gains, bool isotonic_in_size) {
  const auto sizes = static_cast<int>(gains.size());
  std::vector<uint8_t> open(sizes, 0);
  if (!isotonic_in_size) {
    std::vector<uint8_t> shown(sizes, 0);
    for (int i = 0; i < sizes; ++i) shown[i] = !gains[i].empty() && proven(pooled_gain(gains, i - 1, i + 1));
    // One size alone, of ten that were looked at, is chance: a neighbour has to bear it out.
    for (int i = 0; i < sizes; ++i)
      open[i] = shown[i] && (sizes == 1 || (i > 0 && shown[i - 1]) || (i + 1 < sizes && shown[i + 1]));
    // A size without held-out tasks does as the next smaller one.
    for (int i = 1; i < sizes; ++i)
      if (gains[i].empty()) open[i] = open[i - 1];
    return open;
  }
  std::vector<double> values, weights;
  std::vector<int> blocks;
  for (int i = 0; i < sizes; ++i) {
    const Gain gain = pooled_gain(gains, i, i);
    values.push_back(gain.mean);
    weights.push_back(std::max(1e-3, static_cast<double>(gain.tasks)));
  }
  isotonic(values, weights, blocks);
  for (int i = 0; i < sizes; ++i) {
    int first = i, last = i;
    while (first > 0 && blocks[first - 1] == blocks[i]) --first;
    while (last + 1 < sizes && blocks[last + 1] == blocks[i]) ++last;
    if (first == last) {  // a pool of its own: its neighbours steady it
      --first;
      ++last;
    }
    open[i] = proven(pooled_gain(gains, first, last)) || (i > 0 && open[i - 1]);
  }
  return open;
}

}  // namespace

std::vector<double> isotonic(const std::vector<double>& values, const std::vector<double>& weights,
                             std::vector<int>& blocks) {
  struct Pool {
    double mean, weight;
    int size;
  };
  std::vector<Pool> pools;
  for (size_t i = 0; i < values.size(); ++i) {
    pools.push_back({values[i], weights[i], 1});
    while (pools.size() > 1 && pools[pools.size() - 2].mean >= pools.back().mean) {
      const Pool last = pools.back();
      pools.pop_back();
      Pool& pool = pools.back();
      pool.mean = (pool.mean * pool.weight + last.mean * last.weight) / (pool.weight + last.weight);
      pool.weight += last.weight;
      pool.size += last.size;
    }
  }
  std::vector<double> fitted;
  blocks.clear();
  for (size_t p = 0; p < pools.size(); ++p)
    for (int i = 0; i < pools[p].size; ++i) {
      fitted.push_back(pools[p].mean);
      blocks.push_back(static_cast<int>(p));
    }
  return fitted;
}

int best_baseline(const Metric& metric, const std::vector<Judgement>& judgements, const GateMethods& methods) {
  const auto baselines = methods.baselines.size();
  struct Size {
    std::vector<double> numerator;
    double denominator = 0, episodes = 0;
  };
  std::map<int, Size> by_size;
  for (const auto& j : judgements) {
    const double denominator = j.methods[methods.baselines[0]][kItemCells].denominator;
    if (j.way != Way::kNatural || denominator == 0) continue;
    Size& size = by_size[j.support];
    size.numerator.resize(baselines);
    size.denominator += denominator;
    size.episodes += 1;
    for (size_t b = 0; b < baselines; ++b)
      size.numerator[b] += value_of(metric, j.methods[methods.baselines[b]][kItemCells]);
  }
  int best = 0;
  double best_value = -INFINITY;
  for (size_t b = 0; b < baselines; ++b) {
    double value = 0;
    for (const auto& [support, size] : by_size)  // sizes that few tasks reach count less
      value += std::min(size.episodes, 100.0) * size.numerator[b] / size.denominator;
    if (value > best_value) {
      best_value = value;
      best = static_cast<int>(b);
    }
  }
  return best;
}

namespace {

/// The baseline of each size: the one that is best over all sizes, unless others are proven to be better than it at
/// this size (natural episodes, neighbouring sizes pooled); then the best of these.
std::vector<int> choose_baselines(const Metric& metric, const Gate& gate, const std::vector<Judgement>& judgements,
                                  const GateMethods& methods) {
  const int overall = best_baseline(metric, judgements, methods);
  const auto sizes = static_cast<int>(gate.sizes.size()), baselines = static_cast<int>(methods.baselines.size());
  std::vector<std::vector<TaskGains>> gains(baselines, std::vector<TaskGains>(sizes));
  for (const auto& j : judgements) {
    const Part& usual = j.methods[methods.baselines[overall]][kItemCells];
    if (j.way != Way::kNatural || usual.denominator == 0) continue;
    for (int b = 0; b < baselines; ++b)
      add(gains[b][gate.entry(j.support)][j.task], metric, j.methods[methods.baselines[b]][kItemCells], usual);
  }
  std::vector<int> chosen;
  for (int i = 0; i < sizes; ++i) {
    int best = overall;
    double best_gain = 0;
    for (int b = 0; b < baselines; ++b) {
      const Gain gain = pooled_gain(gains[b], i - 1, i + 1);
      if (!proven(gain) || gain.mean <= best_gain) continue;
      best = b;
      best_gain = gain.mean;
    }
    chosen.push_back(best);
  }
  return chosen;
}

}  // namespace

Gate fit_gate(const Metric& metric, const std::vector<int>& sizes, const std::vector<Judgement>& judgements,
              const GateMethods& methods) {
  const bool of_predictions = metric.lower_is_better();  // errors, which fall as the support grows
  Gate gate;
  gate.sizes = sizes;
  const auto count = static_cast<int>(sizes.size());
  gate.baseline = choose_baselines(metric, gate, judgements, methods);
  std::vector<std::vector<TaskGains>> gains(kItemCells + 1, std::vector<TaskGains>(count));
  for (const auto& j : judgements) {
    const int entry = gate.entry(j.support);
    const auto& adapted = j.methods[methods.adapted];
    const auto& baseline = j.methods[methods.baselines[gate.baseline[entry]]];
    for (int c = 0; c <= kItemCells; ++c) {
      if (adapted[c].denominator == 0 || (c == kItemCells && j.way != Way::kNatural)) continue;
      add(gains[c][entry][j.task], metric, adapted[c], baseline[c]);
    }
  }
  for (int i = 0; i < count; ++i) {
    const Gain gain = pooled_gain(gains[kItemCells], i, i);
    verbose(fmt::format("gate: k = {}: adapted is better than baseline {} by {:+.5f}, standard error {:.5f}, {} tasks",
                        sizes[i], gate.baseline[i], gain.mean, gain.error, gain.tasks));
  }
  const auto whole = decide(gains[kItemCells], of_predictions);
  gate.open.assign(static_cast<size_t>(count) * kItemCells, 0);
  for (int c = 0; c < kItemCells; ++c) {
    std::map<int32_t, int> tasks;
    for (const auto& by_task : gains[c])
      for (const auto& [task, gain] : by_task) tasks[task] = 1;
    const bool own = of_predictions && static_cast<int>(tasks.size()) >= kCellTasks;
    const auto open = own ? decide(gains[c], true) : whole;
    for (int i = 0; i < count; ++i) gate.open[i * kItemCells + c] = open[i];
  }
  return gate;
}

}  // namespace fewshop
