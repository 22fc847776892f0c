#include "learner/gate/gate_fit.h"

#include <cmath>
#include <map>

namespace fewshop {
namespace {

constexpr double kOneSided95 = 1.644854;
constexpr int kFewestTasks = 20;  // below, no size opens
constexpr int kCellTasks = 200;   // below, a cell follows the whole list

/// What a part is worth, turned so that larger is better; linear, so that differences of tasks average.
double value_of(const Metric& metric, const Part& part) {
  const double mean = part.numerator / part.denominator;  // rmse: mean squared error of the task
  return metric.lower_is_better() ? -mean : mean;
}

/// Mean and standard error over tasks of the gains of some sizes; a task's gains at several sizes count as one.
struct Gain {
  double mean = 0, error = 0;
  int tasks = 0;
  double lower() const { return mean - kOneSided95 * error; }
};

using TaskGains = std::map<int32_t, std::pair<double, double>>;  // task -> sum, count

Gain summarize(const std::vector<const TaskGains*>& pooled) {
  TaskGains by_task;
  for (const auto* gains : pooled)
    for (const auto& [task, gain] : *gains) {
      by_task[task].first += gain.first;
      by_task[task].second += gain.second;
    }
  Gain result;
  result.tasks = static_cast<int>(by_task.size());
  if (by_task.empty()) return result;
  double square = 0;
  for (const auto& [task, gain] : by_task) result.mean += gain.first / gain.second;
  result.mean /= result.tasks;
  for (const auto& [task, gain] : by_task) {
    const double d = gain.first / gain.second - result.mean;
    square += d * d;
  }
  result.error = result.tasks > 1 ? std::sqrt(square / (result.tasks - 1.0) / result.tasks) : INFINITY;
  return result;
}

/// Whether each size opens, from the gains of each size.
std::vector<uint8_t> decide(const std::vector<TaskGains>& gains, bool isotonic_in_size) {
  const auto sizes = static_cast<int>(gains.size());
  std::vector<uint8_t> open(sizes, 0);
  const auto pooled_gain = [&](int first, int last) {
    std::vector<const TaskGains*> pooled;
    for (int i = std::max(0, first); i <= std::min(sizes - 1, last); ++i) pooled.push_back(&gains[i]);
    return summarize(pooled);
  };
  const auto opens = [](const Gain& gain) { return gain.tasks >= kFewestTasks && gain.lower() > 0; };
  if (!isotonic_in_size) {
    for (int i = 0; i < sizes; ++i) open[i] = !gains[i].empty() && opens(pooled_gain(i - 1, i + 1));
    // A size without held-out tasks does as the next smaller one.
    for (int i = 1; i < sizes; ++i)
      if (gains[i].empty()) open[i] = open[i - 1];
    return open;
  }
  std::vector<double> values, weights;
  std::vector<int> blocks;
  for (int i = 0; i < sizes; ++i) {
    const Gain gain = pooled_gain(i, i);
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
    open[i] = opens(pooled_gain(first, last)) || (i > 0 && open[i - 1]);
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
  int best = 0;
  double best_value = -INFINITY;
  for (size_t b = 0; b < methods.baselines.size(); ++b) {
    std::map<int, std::pair<double, double>> by_size;
    for (const auto& j : judgements) {
      const Part& part = j.methods[methods.baselines[b]][kItemCells];
      if (j.way != Way::kNatural || part.denominator == 0) continue;
      by_size[j.support].first += value_of(metric, part);
      by_size[j.support].second += 1;
    }
    double value = 0, count = 0;
    for (const auto& [size, sum] : by_size) {
      const double weight = std::min(sum.second, 100.0);  // sizes that few tasks reach count less
      value += weight * sum.first / sum.second;
      count += weight;
    }
    value /= std::max(1.0, count);
    if (value > best_value) {
      best_value = value;
      best = static_cast<int>(b);
    }
  }
  return best;
}

Gate fit_gate(const Metric& metric, const std::vector<int>& sizes, const std::vector<Judgement>& judgements,
              const GateMethods& methods) {
  const bool of_predictions = metric.kind == Metric::Kind::kMae || metric.kind == Metric::Kind::kRmse;
  Gate gate;
  gate.sizes = sizes;
  const auto count = static_cast<int>(sizes.size()), baselines = static_cast<int>(methods.baselines.size());
  // The best baseline of each size over natural episodes, neighbouring sizes pooled; too few episodes do as the size
  // before.
  std::vector<std::vector<double>> sum(count, std::vector<double>(baselines, 0));
  std::vector<int> seen(count, 0);
  for (const auto& j : judgements) {
    if (j.way != Way::kNatural || j.methods[methods.adapted][kItemCells].denominator == 0) continue;
    const int entry = gate.entry(j.support);
    ++seen[entry];
    for (int b = 0; b < baselines; ++b) sum[entry][b] += value_of(metric, j.methods[methods.baselines[b]][kItemCells]);
  }
  for (int i = 0; i < count; ++i) {
    std::vector<double> pooled(baselines, 0);
    int episodes = 0;
    for (int n = std::max(0, i - 1); n <= std::min(count - 1, i + 1); ++n) {
      episodes += seen[n];
      for (int b = 0; b < baselines && seen[n] > 0; ++b) pooled[b] += sum[n][b] / seen[n];
    }
    int best = i > 0 ? gate.baseline[i - 1] : best_baseline(metric, judgements, methods);
    if (episodes >= kFewestTasks)
      for (int b = 0; b < baselines; ++b)
        if (pooled[b] > pooled[best]) best = b;
    gate.baseline.push_back(best);
  }
  std::vector<std::vector<TaskGains>> gains(kItemCells + 1, std::vector<TaskGains>(count));
  for (const auto& j : judgements) {
    const int entry = gate.entry(j.support);
    const auto& adapted = j.methods[methods.adapted];
    const auto& baseline = j.methods[methods.baselines[gate.baseline[entry]]];
    for (int c = 0; c <= kItemCells; ++c) {
      if (adapted[c].denominator == 0 || (c == kItemCells && j.way != Way::kNatural)) continue;
      auto& gain = gains[c][entry][j.task];
      gain.first += value_of(metric, adapted[c]) - value_of(metric, baseline[c]);
      gain.second += 1;
    }
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
