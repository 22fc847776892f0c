#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace fewshop {

/// How intervals are drawn. Efron, Tibshirani. "An Introduction to the Bootstrap." 1993, chapter 13 (percentile).
struct BootstrapOptions {
  int resamples = 1000;
  uint64_t seed = 1;
  int threads = 0;  // 0 = all cores; the result does not depend on it
};

/// How often each of U units is drawn in one resample of U draws with replacement: counts [U]. The same seed and number
/// give the same draw, so that several statistics can share it (paired differences, AUC).
void draw_counts(const BootstrapOptions& options, int resample, std::span<double> counts);

/// Sums of W statistics over the drawn units, for every resample at once:
///   statistics [units, W] row-major -> [resamples, W]
std::vector<double> resample_sums(std::span<const double> statistics, int64_t units, int64_t width,
                                  const BootstrapOptions& options);

/// Area under the ROC curve over many rows, with one weight per unit: rows are sorted once, then any weighting takes
/// one pass.
class WeightedAuc {
 public:
  /// score, positive, unit [rows]
  WeightedAuc(std::span<const float> score, std::span<const uint8_t> positive, std::span<const int32_t> unit);

  /// Equal scores count half. NaN without a positive or without a negative. weights [units]
  double value(std::span<const double> weights) const;

 private:
  struct Row {
    int32_t unit;
    bool positive, starts_run;  // the first of equal scores
  };
  std::vector<Row> rows_;  // by rising score
};

/// A value with its 95 % interval; NaN where it is not defined.
struct Interval {
  double value = 0, low = 0, high = 0;
};

/// The central 95 % of resampled values around `value`; low and high are NaN with fewer than two units, where
/// resampling says nothing. Resamples in which the statistic is not defined are left out.
Interval percentile_interval(double value, std::vector<double> resampled, int64_t units);

}  // namespace fewshop
