#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "scenario/scenario.h"

namespace fewshop {

/// A metric by its name in scenario files: "mae", "ndcg@10". docs/evaluation.md has every formula.
struct Metric {
  enum class Kind {
    kMae,
    kRmse,
    kNdcg,        // gain 2^r - 1; binary gain in ranking problems
    kNdcgLinear,  // gain r
    kPrecision,
    kRecall,
    kHit,
    kMrr,
    kMap,
    kAuc,            // over all query rows
    kGauc,           // mean over tasks of the task's AUC
    kPrecisionTanp,  // as TaNP computes them: a multiset of the k largest true ratings
    kMapTanp,
    kPrecisionTop,  // positives = the k highest-rated query rows
    kNdcgTop,
    kMrrTop,
    // Problems that ask about rows (row_metric.h).
    kLogLoss,
    kAccuracy,
    kF1,
    kBrier,
    kRps,
    kPoissonDeviance
  };
  std::string name;
  Kind kind = Kind::kMae;
  int k = 0;

  /// Errors of predictions; the others say how much is right.
  bool lower_is_better() const {
    return kind == Kind::kMae || kind == Kind::kRmse || kind == Kind::kLogLoss || kind == Kind::kBrier ||
           kind == Kind::kRps || kind == Kind::kPoissonDeviance;
  }
};

/// What the metric says, for a reader who does not know it: "average distance between prediction and truth".
std::string plain_words(const Metric& metric);

/// Throws InvalidInput naming the known metrics for an unknown one, and for one that the problem cannot have (an error
/// of predicted values in a ranking problem).
Metric parse_metric(const std::string& name, Problem problem);
std::vector<Metric> parse_metrics(const std::vector<std::string>& names, Problem problem);

/// What one task adds to a metric. Metric values are functions of sums of these over tasks, so that a bootstrap
/// resample is a weighted sum. A task for which the metric is not defined has denominator 0.
struct Part {
  double numerator = 0, denominator = 0;

  Part& operator+=(const Part& other) {
    numerator += other.numerator;
    denominator += other.denominator;
    return *this;
  }
};

/// The metric of summed parts: their ratio, or its root (rmse). NaN where the denominator is 0.
double metric_value(const Metric& metric, Part sum);

/// The query rows of one task in a rating problem as one method answered them, Q rows, with both orders worked out
/// once for all metrics. Equal scores and equal targets stand in a random order that depends on the seed only; the two
/// draws are independent, since with one draw a constant prediction would rank tied targets right more often than
/// chance.
class RatedList {
 public:
  /// target [Q], score [Q], finite. Rows with a target above `positive_above` are the positives of the metrics that
  /// need them. The spans must outlive the list.
  RatedList(std::span<const float> target, std::span<const float> score, float positive_above, uint64_t tie_seed);

  size_t size() const { return target_.size(); }
  float target(size_t row) const { return target_[row]; }
  float score(size_t row) const { return score_[row]; }
  bool positive(size_t row) const { return target_[row] > positive_above_; }
  /// Rows by falling score, and by falling target: [Q].
  const std::vector<int32_t>& predicted() const { return predicted_; }
  const std::vector<int32_t>& ideal() const { return ideal_; }

 private:
  std::span<const float> target_, score_;
  float positive_above_;
  std::vector<int32_t> predicted_, ideal_;
};

/// What a list adds to a metric; `auc` is not a sum over tasks here (see auc.h) and has none.
Part rated_part(const Metric& metric, const RatedList& list);

/// The same for a ranking problem: 0-based ranks of the R query items among C candidates, ascending, distinct.
Part ranked_part(const Metric& metric, std::span<const int32_t> ranks, int32_t candidates);

}  // namespace fewshop
