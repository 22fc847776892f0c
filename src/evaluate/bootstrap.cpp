#include "evaluate/bootstrap.h"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/parallel.h"
#include "core/random.h"

namespace fewshop {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// Resamples that are summed by one matrix product: enough to read the statistics rarely, few enough to keep the
/// counts of 100,000 units in cache.
constexpr int kBlock = 16;

double quantile(const std::vector<double>& sorted, double p) {
  const double position = p * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(position);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (position - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

}  // namespace

void draw_counts(const BootstrapOptions& options, int resample, std::span<double> counts) {
  Random random = Random(options.seed).fork("bootstrap").fork(static_cast<uint64_t>(resample));
  std::fill(counts.begin(), counts.end(), 0.0);
  for (size_t i = 0; i < counts.size(); ++i) counts[random.below(counts.size())] += 1;
}

std::vector<double> resample_sums(std::span<const double> statistics, int64_t units, int64_t width,
                                  const BootstrapOptions& options) {
  using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  std::vector<double> sums(static_cast<size_t>(options.resamples) * static_cast<size_t>(width), 0.0);
  if (units == 0 || width == 0) return sums;
  const Eigen::Map<const Matrix> table(statistics.data(), units, width);
  parallel_for(options.resamples, options.threads, kBlock, [&](int64_t begin, int64_t end, int) {
    Matrix counts(end - begin, units);
    for (int64_t b = begin; b < end; ++b)
      draw_counts(options, static_cast<int>(b), {counts.row(b - begin).data(), static_cast<size_t>(units)});
    Eigen::Map<Matrix>(sums.data() + begin * width, end - begin, width).noalias() = counts * table;
  });
  return sums;
}

WeightedAuc::WeightedAuc(std::span<const float> score, std::span<const uint8_t> positive,
                         std::span<const int32_t> unit) {
  std::vector<int64_t> order(score.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return score[a] < score[b]; });
  rows_.reserve(order.size());
  for (size_t i = 0; i < order.size(); ++i) {
    const bool starts = i == 0 || score[order[i]] != score[order[i - 1]];
    rows_.push_back({unit[order[i]], positive[order[i]] != 0, starts});
  }
}

double WeightedAuc::value(std::span<const double> weights) const {
  double right = 0, positives = 0, negatives = 0, run_positives = 0, run_negatives = 0;
  const auto close_run = [&] {
    right += run_positives * (negatives + run_negatives / 2);
    positives += run_positives;
    negatives += run_negatives;
    run_positives = run_negatives = 0;
  };
  for (const Row& row : rows_) {
    if (row.starts_run) close_run();
    (row.positive ? run_positives : run_negatives) += weights[row.unit];
  }
  close_run();
  const double pairs = positives * negatives;
  return pairs > 0 ? right / pairs : kNaN;
}

Interval percentile_interval(double value, std::vector<double> resampled, int64_t units) {
  std::erase_if(resampled, [](double x) { return std::isnan(x); });
  if (units < 2 || resampled.empty() || std::isnan(value)) return {value, kNaN, kNaN};
  std::sort(resampled.begin(), resampled.end());
  return {value, quantile(resampled, 0.025), quantile(resampled, 0.975)};
}

}  // namespace fewshop
