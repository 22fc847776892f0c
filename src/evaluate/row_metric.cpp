#include "evaluate/row_metric.h"

#include <cmath>

#include "core/error.h"

namespace fewshop {
namespace {

using Kind = Metric::Kind;

double brier(const Predictive& p, float target) {
  if (p.family == Family::kBernoulli) return (p.mean - target) * (p.mean - target);
  double sum = 0;
  for (size_t c = 0; c < p.probability.size(); ++c) {
    const double d = p.probability[c] - (target == static_cast<float>(c));
    sum += d * d;
  }
  return sum;
}

/// Epstein. "A scoring system for probability forecasts of ranked categories." J. Applied Meteorology 8, 1969.
double ranked_probability_score(const Predictive& p, float target) {
  double sum = 0, below = 0;
  for (size_t c = 0; c + 1 < p.probability.size(); ++c) {
    below += p.probability[c];
    const double d = below - (target <= static_cast<float>(c));
    sum += d * d;
  }
  return sum / (static_cast<double>(p.probability.size()) - 1);
}

double poisson_deviance(const Predictive& p, float target) {
  const double mu = std::max(p.mean, 1e-9);
  return 2 * ((target > 0 ? target * std::log(target / mu) : 0) - (target - mu));
}

double middle(const Predictive& p) { return p.family == Family::kGaussian ? p.mean : quantile(p, 0.5); }

/// What one row adds to a metric that is a mean over rows.
double row_value(Kind kind, const Predictive& p, float target) {
  switch (kind) {
    case Kind::kLogLoss:
      return -log_prob(p, target);
    case Kind::kAccuracy:
      return most_probable(p) == static_cast<int32_t>(target);
    case Kind::kBrier:
      return brier(p, target);
    case Kind::kRps:
      return ranked_probability_score(p, target);
    case Kind::kPoissonDeviance:
      return poisson_deviance(p, target);
    case Kind::kMae:
      return std::abs(middle(p) - target);
    default:
      throw InvalidInput("row_part: this metric is not of single rows");
  }
}

}  // namespace

Part row_part(const Metric& metric, std::span<const float> target, std::span<const Predictive> predicted,
              uint64_t tie_seed) {
  if (target.empty() || metric.kind == Kind::kAuc) return {};
  if (metric.kind == Kind::kGauc) {
    std::vector<float> score;
    for (const auto& p : predicted) score.push_back(static_cast<float>(p.mean));
    return rated_part(metric, RatedList(target, score, 0.5F, tie_seed));
  }
  if (metric.kind == Kind::kF1) {  // 2 true positives / (2 true positives + false positives + false negatives)
    Part part;
    for (size_t i = 0; i < target.size(); ++i) {
      const int yes = most_probable(predicted[i]), is = target[i] > 0.5F;
      part.numerator += 2 * yes * is;
      part.denominator += yes + is;
    }
    return part;
  }
  double sum = 0;
  const auto rows = static_cast<double>(target.size());
  for (size_t i = 0; i < target.size(); ++i) {
    const double error = mean(predicted[i]) - target[i];
    sum += metric.kind == Kind::kRmse ? error * error : row_value(metric.kind, predicted[i], target[i]);
  }
  return metric.kind == Kind::kRmse ? Part{sum, rows} : Part{sum / rows, 1};
}

}  // namespace fewshop
