#pragma once

#include <optional>
#include <vector>

#include "evaluate/bootstrap.h"
#include "evaluate/metric.h"
#include "evaluate/outcome.h"

namespace fewshop {

/// Which query rows count: all, or those whose item was (warm) or was not (cold) seen in training.
enum class ItemGroup { kAll, kCold, kWarm };

/// How often intervals stated with a probability held: observed share of targets inside the central interval.
struct Coverage {
  double nominal = 0, observed = 0;
};

/// Rows that were given about the same probability, and how often it came true.
struct Reliability {
  double predicted = 0, observed = 0;
  int64_t rows = 0;
};

/// Every figure of one point of the curve.
struct Summary {
  int64_t tasks = 0;                          // tasks with at least one such query row
  int64_t rows = 0;                           // query rows
  std::vector<std::vector<Interval>> values;  // [methods][metrics]
  std::vector<std::vector<Interval>> paired;  // [methods][metrics] served minus that method
  double served = 0;                          // share of query rows that are answered by adapting; NaN without rows
  std::vector<Coverage> coverage;             // of the served answer; empty where it states no variance
  std::vector<Reliability> reliability;       // binary: of the probability of 1; multiclass: of the predicted class
};

/// The probabilities that calibration is looked at.
inline constexpr double kNominal[] = {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95};

/// Half the width of a standard Gaussian's central interval: P(|z| <= width) = probability.
double gaussian_half_width(double probability);

/// The middle of the range of all query targets: what lies above it is a positive in the metrics that need positives
/// (ratings 1 to 5: 4 and 5; 0 and 1: 1).
float positive_threshold(const Outcomes& outcomes);

/// Metrics of every method at one point with 95 % intervals over distinct task values, and paired differences drawn
/// from the same resamples.
///
/// With a group, the query rows of the other group are taken out of the list (rating), or out of the candidates
/// (ranking).
Summary summarize(const Outcomes& outcomes, const ShotOutcome& point, const std::vector<Metric>& metrics,
                  ItemGroup group, float positive_above, const BootstrapOptions& options);

}  // namespace fewshop
