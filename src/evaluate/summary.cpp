#include "evaluate/summary.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <unordered_map>

#include "core/error.h"
#include "core/parallel.h"
#include "evaluate/row_metric.h"

namespace fewshop {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

bool in_group(const TaskOutcome& task, size_t row, ItemGroup group) {
  return group == ItemGroup::kAll || (task.cold[row] != 0) == (group == ItemGroup::kCold);
}

std::vector<int32_t> rows_in_group(const TaskOutcome& task, ItemGroup group) {
  std::vector<int32_t> rows;
  for (size_t i = 0; i < task.target.size(); ++i)
    if (in_group(task, i, group)) rows.push_back(static_cast<int32_t>(i));
  return rows;
}

/// Bootstrap units of a point, numbered from 0 in order of their first task.
class Units {
 public:
  int32_t number(int32_t unit) {
    return numbers_.try_emplace(unit, static_cast<int32_t>(numbers_.size())).first->second;
  }
  int64_t count() const { return static_cast<int64_t>(numbers_.size()); }

 private:
  std::unordered_map<int32_t, int32_t> numbers_;
};

/// What one task adds to every metric of every method: parts [methods][metrics].
class TaskParts {
 public:
  TaskParts(const std::vector<Metric>& metrics, Problem problem, float positive_above)
      : metrics_(metrics), problem_(problem), positive_above_(positive_above) {}

  void add(const TaskOutcome& task, const std::vector<int32_t>& rows, Part* out) {
    for (const auto& answer : task.answers) {
      if (problem_ == Problem::kRating)
        rated(task, answer, rows, out);
      else if (problem_ == Problem::kRanking)
        ranked(task, answer, rows, out);
      else
        of_rows(task, answer, rows, out);
      out += metrics_.size();
    }
  }

 private:
  void rated(const TaskOutcome& task, const Answer& answer, const std::vector<int32_t>& rows, Part* out) {
    target_.clear();
    score_.clear();
    for (const int32_t row : rows) {
      target_.push_back(task.target[row]);
      score_.push_back(answer.score[row]);
    }
    const RatedList list(target_, score_, positive_above_, task.tie_seed);
    for (const auto& metric : metrics_) *out++ += rated_part(metric, list);
  }

  void of_rows(const TaskOutcome& task, const Answer& answer, const std::vector<int32_t>& rows, Part* out) {
    target_.clear();
    predictive_.clear();
    for (const int32_t row : rows) {
      target_.push_back(task.target[row]);
      predictive_.push_back(answer.predictive[row]);
    }
    for (const auto& metric : metrics_) *out++ += row_part(metric, target_, predictive_, task.tie_seed);
  }

  void ranked(const TaskOutcome& task, const Answer& answer, const std::vector<int32_t>& rows, Part* out) {
    ranks_.clear();
    for (const int32_t row : rows) ranks_.push_back(answer.rank[row]);
    std::sort(ranks_.begin(), ranks_.end());
    int32_t candidates = task.candidates;
    if (rows.size() != task.target.size()) {  // the other group's items leave the list of candidates
      others_.clear();
      for (size_t i = 0, j = 0; i < task.target.size(); ++i) {
        if (j < rows.size() && rows[j] == static_cast<int32_t>(i))
          ++j;
        else
          others_.push_back(answer.rank[i]);
      }
      std::sort(others_.begin(), others_.end());
      for (auto& rank : ranks_)
        rank -= static_cast<int32_t>(std::lower_bound(others_.begin(), others_.end(), rank) - others_.begin());
      candidates -= static_cast<int32_t>(others_.size());
    }
    for (const auto& metric : metrics_) *out++ += ranked_part(metric, ranks_, candidates);
  }

  const std::vector<Metric>& metrics_;
  Problem problem_;
  float positive_above_;
  std::vector<float> target_, score_;
  std::vector<Predictive> predictive_;
  std::vector<int32_t> ranks_, others_;
};

/// AUC over all query rows of a point, for one method: the value and the resampled values.
struct PooledAuc {
  double value = kNaN;
  std::vector<double> resampled;
};

PooledAuc pooled_auc(const ShotOutcome& point, const std::vector<std::vector<int32_t>>& rows,
                     const std::vector<int32_t>& unit_of_task, int64_t units, size_t method, float positive_above,
                     const BootstrapOptions& options) {
  std::vector<float> score;
  std::vector<uint8_t> positive;
  std::vector<int32_t> unit;
  for (size_t t = 0; t < point.tasks.size(); ++t) {
    for (const int32_t row : rows[t]) {
      const Answer& answer = point.tasks[t].answers[method];
      score.push_back(answer.predictive.empty() ? answer.score[row] : static_cast<float>(answer.predictive[row].mean));
      positive.push_back(point.tasks[t].target[row] > positive_above);
      unit.push_back(unit_of_task[t]);
    }
  }
  const WeightedAuc auc(score, positive, unit);
  PooledAuc result;
  result.value = auc.value(std::vector<double>(static_cast<size_t>(units), 1.0));
  result.resampled.resize(static_cast<size_t>(options.resamples));
  parallel_for(options.resamples, options.threads, 16, [&](int64_t begin, int64_t end, int) {
    std::vector<double> counts(static_cast<size_t>(units));
    for (int64_t b = begin; b < end; ++b) {
      draw_counts(options, static_cast<int>(b), counts);
      result.resampled[static_cast<size_t>(b)] = auc.value(counts);
    }
  });
  return result;
}

std::vector<Coverage> served_coverage(const ShotOutcome& point, const std::vector<std::vector<int32_t>>& rows) {
  double inside[std::size(kNominal)] = {}, stated = 0;
  for (size_t t = 0; t < point.tasks.size(); ++t) {
    const TaskOutcome& task = point.tasks[t];
    const Answer& served = task.answers[0];
    if (served.variance.size() != task.target.size()) continue;
    for (const int32_t row : rows[t]) {
      if (!(served.variance[row] > 0)) continue;  // methods without uncertainty state 0
      stated += 1;
      const double distance = std::abs(static_cast<double>(task.target[row]) - served.score[row]) /
                              std::sqrt(static_cast<double>(served.variance[row]));
      for (size_t i = 0; i < std::size(kNominal); ++i) inside[i] += distance <= gaussian_half_width(kNominal[i]);
    }
  }
  std::vector<Coverage> coverage;
  if (stated == 0) return coverage;
  for (size_t i = 0; i < std::size(kNominal); ++i) coverage.push_back({kNominal[i], inside[i] / stated});
  return coverage;
}

/// Of the served answer to rows: numbers, counts and ordered classes by their central intervals, which hold at least
/// their share where values are whole; yes or no and unordered classes by ten bins of the stated probability.
void add_row_calibration(const ShotOutcome& point, const std::vector<std::vector<int32_t>>& rows, Summary& summary) {
  constexpr size_t kBins = 10;
  double inside[std::size(kNominal)] = {}, stated = 0;
  std::vector<Reliability> bins(kBins);
  bool intervals = false;
  for (size_t t = 0; t < point.tasks.size(); ++t) {
    const TaskOutcome& task = point.tasks[t];
    for (const int32_t row : rows[t]) {
      const Predictive& p = task.answers[0].predictive[row];
      const float target = task.target[row];
      if (p.family == Family::kGaussian && !(p.variance > 0)) continue;  // states none
      if (p.family != Family::kBernoulli && p.family != Family::kCategorical) {
        intervals = true;
        stated += 1;
        for (size_t i = 0; i < std::size(kNominal); ++i)
          inside[i] += target >= quantile(p, (1 - kNominal[i]) / 2) && target <= quantile(p, (1 + kNominal[i]) / 2);
        continue;
      }
      const bool binary = p.family == Family::kBernoulli;
      const int32_t predicted = most_probable(p);
      const double share = binary ? p.mean : p.probability[predicted];
      const bool came_true = binary ? target > 0.5F : target == static_cast<float>(predicted);
      Reliability& bin = bins[std::min(kBins - 1, static_cast<size_t>(share * kBins))];
      bin.predicted += share;
      bin.observed += came_true;
      bin.rows += 1;
    }
  }
  for (size_t i = 0; intervals && i < std::size(kNominal); ++i)
    summary.coverage.push_back({kNominal[i], inside[i] / stated});
  for (auto& bin : bins) {
    if (bin.rows == 0) continue;
    bin.predicted /= static_cast<double>(bin.rows);
    bin.observed /= static_cast<double>(bin.rows);
    summary.reliability.push_back(bin);
  }
}

}  // namespace

double gaussian_half_width(double probability) {
  // Newton steps on erf; the slope is that of the Gaussian density, and the start is good for every probability
  // below 1.
  double z = 0.7;
  for (int i = 0; i < 50; ++i) {
    const double slope = std::sqrt(2 / M_PI) * std::exp(-z * z / 2);
    const double step = (std::erf(z / std::sqrt(2.0)) - probability) / slope;
    z -= std::clamp(step, -0.5, 0.5);
    if (std::abs(step) < 1e-14) break;
  }
  return z;
}

float positive_threshold(const Outcomes& outcomes) {
  float low = std::numeric_limits<float>::infinity(), high = -low;
  const auto look = [&](const ShotOutcome& point) {
    for (const auto& task : point.tasks)
      for (const float target : task.target) low = std::min(low, target), high = std::max(high, target);
  };
  for (const auto& split : outcomes.splits) {
    look(split.headline);
    for (const auto& shot : split.shots) look(shot);
  }
  return low <= high ? low + (high - low) / 2 : 0;
}

Summary summarize(const Outcomes& outcomes, const ShotOutcome& point, const std::vector<Metric>& metrics,
                  ItemGroup group, float positive_above, const BootstrapOptions& options) {
  const size_t methods = outcomes.methods.size(), width = methods * metrics.size();
  Summary summary;
  std::vector<std::vector<int32_t>> rows(point.tasks.size());
  std::vector<int32_t> unit_of_task(point.tasks.size(), -1);
  Units units;
  double adapted = 0;
  for (size_t t = 0; t < point.tasks.size(); ++t) {
    const TaskOutcome& task = point.tasks[t];
    rows[t] = rows_in_group(task, group);
    if (rows[t].empty()) continue;
    unit_of_task[t] = units.number(task.unit);
    summary.tasks += 1;
    summary.rows += static_cast<int64_t>(rows[t].size());
    for (const int32_t row : rows[t]) adapted += task.adapted[row];
  }
  summary.served = summary.rows ? adapted / static_cast<double>(summary.rows) : kNaN;

  // Parts per unit: a resample is a weighted sum of them. Tasks are worked out by threads, added in order.
  const auto count = static_cast<size_t>(units.count());
  std::vector<Part> parts(count * width);
  constexpr int64_t kBatch = 4096;
  for (int64_t first = 0; first < static_cast<int64_t>(point.tasks.size()); first += kBatch) {
    const int64_t batch = std::min<int64_t>(kBatch, static_cast<int64_t>(point.tasks.size()) - first);
    std::vector<Part> of_task(static_cast<size_t>(batch) * width);
    parallel_for(batch, options.threads, 64, [&](int64_t begin, int64_t end, int) {
      TaskParts task_parts(metrics, outcomes.problem, positive_above);
      for (int64_t i = begin; i < end; ++i)
        if (!rows[first + i].empty()) task_parts.add(point.tasks[first + i], rows[first + i], &of_task[i * width]);
    });
    for (int64_t i = 0; i < batch; ++i) {
      const int32_t unit = unit_of_task[first + i];
      if (unit < 0) continue;
      for (size_t w = 0; w < width; ++w) {
        parts[unit * width + w] += of_task[i * width + w];
      }
    }
  }
  static_assert(sizeof(Part) == 2 * sizeof(double));
  const double* part_numbers = parts.empty() ? nullptr : &parts.front().numerator;
  const std::vector<double> sums =
      resample_sums({part_numbers, parts.size() * 2}, units.count(), static_cast<int64_t>(width) * 2, options);

  // Values and resampled values of every method and metric.
  std::vector<std::vector<double>> value(methods, std::vector<double>(metrics.size(), kNaN));
  std::vector<std::vector<std::vector<double>>> resampled(methods, std::vector<std::vector<double>>(metrics.size()));
  for (size_t m = 0; m < methods; ++m) {
    for (size_t j = 0; j < metrics.size(); ++j) {
      const size_t column = m * metrics.size() + j;
      if (metrics[j].kind == Metric::Kind::kAuc && outcomes.problem != Problem::kRanking) {
        PooledAuc auc = pooled_auc(point, rows, unit_of_task, units.count(), m, positive_above, options);
        value[m][j] = auc.value;
        resampled[m][j] = std::move(auc.resampled);
        continue;
      }
      Part total;
      for (size_t u = 0; u < count; ++u) total += parts[u * width + column];
      value[m][j] = metric_value(metrics[j], total);
      for (int b = 0; b < options.resamples; ++b) {
        const double* sum = &sums[(static_cast<size_t>(b) * width + column) * 2];
        resampled[m][j].push_back(metric_value(metrics[j], {sum[0], sum[1]}));
      }
    }
  }
  summary.values.resize(methods);
  summary.paired.resize(methods);
  for (size_t m = 0; m < methods; ++m) {
    for (size_t j = 0; j < metrics.size(); ++j) {
      summary.values[m].push_back(percentile_interval(value[m][j], resampled[m][j], units.count()));
      std::vector<double> difference(static_cast<size_t>(options.resamples));
      for (size_t b = 0; b < difference.size(); ++b) difference[b] = resampled[0][j][b] - resampled[m][j][b];
      summary.paired[m].push_back(percentile_interval(value[0][j] - value[m][j], std::move(difference), units.count()));
    }
  }
  if (outcomes.problem == Problem::kRating) summary.coverage = served_coverage(point, rows);
  if (is_row_problem(outcomes.problem)) add_row_calibration(point, rows, summary);
  return summary;
}

}  // namespace fewshop
