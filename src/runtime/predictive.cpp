#include "runtime/predictive.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "core/error.h"

namespace fewshop {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kLeast = 1e-12;  // probabilities below count as this

double moment(std::span<const double> probability, int power) {
  double sum = 0;
  for (size_t c = 0; c < probability.size(); ++c) sum += probability[c] * std::pow(static_cast<double>(c), power);
  return sum;
}

/// Inverse of the standard normal's distribution function: bisection on erfc, good to 1e-12.
double normal_quantile(double share) {
  double low = -40, high = 40;
  for (int i = 0; i < 100; ++i) {
    const double middle = (low + high) / 2;
    (std::erfc(-middle / std::numbers::sqrt2) / 2 < share ? low : high) = middle;
  }
  return (low + high) / 2;
}

/// log P(n) of a poisson or a negative binomial.
double log_count(const Predictive& p, double n) {
  const double mu = std::max(p.mean, kLeast);
  if (p.family == Family::kPoisson) return n * std::log(mu) - mu - std::lgamma(n + 1);
  const double r = p.size;
  return std::lgamma(n + r) - std::lgamma(r) - std::lgamma(n + 1) - r * std::log1p(mu / r) -
         (n > 0 ? n * std::log1p(r / mu) : 0);
}

/// Doubles the step from the mean until the share is passed, then adds up one by one or, far out, takes the gaussian of
/// the same moments.
double count_quantile(const Predictive& p, double share) {
  const double deviation = std::sqrt(variance(p));
  if (p.mean + 20 * deviation > 1e6) return std::max(0.0, std::round(p.mean + normal_quantile(share) * deviation));
  double sum = 0;
  for (double n = 0;; ++n) {
    sum += std::exp(log_count(p, n));
    if (sum >= share || n > p.mean + 20 * deviation + 20) return n;
  }
}

bool is_count(Family family) { return family == Family::kPoisson || family == Family::kNegativeBinomial; }

}  // namespace

double mean(const Predictive& p) {
  if (p.family == Family::kCategorical) return kNaN;
  return p.family == Family::kOrdinal ? moment(p.probability, 1) : p.mean;
}

double variance(const Predictive& p) {
  switch (p.family) {
    case Family::kBernoulli:
      return p.mean * (1 - p.mean);
    case Family::kPoisson:
      return p.mean;
    case Family::kNegativeBinomial:
      return p.mean + p.mean * p.mean / p.size;
    case Family::kOrdinal: {
      const double first = moment(p.probability, 1);
      return std::max(0.0, moment(p.probability, 2) - first * first);
    }
    case Family::kCategorical:
      return kNaN;
    default:
      return p.variance;
  }
}

double log_prob(const Predictive& p, double target) {
  switch (p.family) {
    case Family::kScores:
      throw InvalidInput("log_prob: scores have no density over targets");
    case Family::kGaussian: {
      const double error = target - p.mean;
      return -0.5 * (error * error / p.variance + std::log(2 * std::numbers::pi * p.variance));
    }
    case Family::kBernoulli:
      return std::log(std::max(kLeast, target > 0.5 ? p.mean : 1 - p.mean));
    case Family::kPoisson:
    case Family::kNegativeBinomial:
      return std::max(std::log(kLeast), log_count(p, target));
    default:
      return std::log(std::max(kLeast, p.probability.at(static_cast<size_t>(target))));
  }
}

double quantile(const Predictive& p, double share) {
  require(share > 0 && share < 1, "quantile: ", share, " is outside (0, 1)");
  switch (p.family) {
    case Family::kScores:
    case Family::kCategorical:
      return kNaN;
    case Family::kGaussian:
      return p.mean + normal_quantile(share) * std::sqrt(p.variance);
    case Family::kBernoulli:
      return 1 - p.mean >= share ? 0 : 1;
    case Family::kPoisson:
    case Family::kNegativeBinomial:
      return count_quantile(p, share);
    case Family::kOrdinal:
      break;
  }
  double sum = 0;
  for (size_t c = 0; c < p.probability.size(); ++c)
    if ((sum += p.probability[c]) >= share) return static_cast<double>(c);
  return static_cast<double>(p.probability.size()) - 1;
}

int32_t most_probable(const Predictive& p) {
  if (p.family == Family::kBernoulli) return p.mean >= 0.5;
  return static_cast<int32_t>(std::max_element(p.probability.begin(), p.probability.end()) - p.probability.begin());
}

double level(const Predictive& p, int32_t label) {
  if (p.family == Family::kCategorical) return p.probability.at(static_cast<size_t>(label));
  if (p.family == Family::kOrdinal) return mean(p) / (static_cast<double>(p.probability.size()) - 1);
  return p.mean;
}

double link(Family family, double level) {
  if (family == Family::kGaussian || family == Family::kScores) return level;
  if (is_count(family)) return std::log(std::max(level, kLeast));
  const double share = std::clamp(level, kLeast, 1 - kLeast);
  return std::log(share) - std::log1p(-share);
}

double level_of(Family family, double link) {
  if (family == Family::kGaussian || family == Family::kScores) return link;
  if (is_count(family)) return std::exp(std::min(link, 700.0));
  return link >= 0 ? 1 / (1 + std::exp(-link)) : std::exp(link) / (1 + std::exp(link));
}

void pool(std::span<const Predictive> members, std::span<const double> weight, Predictive& out) {
  require(!members.empty() && members.size() == weight.size(), "pool: ", members.size(), " members, ", weight.size(),
          " weights");
  out.family = members[0].family;
  if (!members[0].probability.empty()) {
    out.probability.assign(members[0].probability.size(), 0);
    for (size_t m = 0; m < members.size(); ++m)
      for (size_t c = 0; c < out.probability.size(); ++c)
        out.probability[c] += weight[m] * members[m].probability.at(c);
    return;
  }
  double first = 0, spread = 0;
  for (size_t m = 0; m < members.size(); ++m) first += weight[m] * members[m].mean;
  for (size_t m = 0; m < members.size(); ++m) {
    const double off = members[m].mean - first;
    spread += weight[m] * (variance(members[m]) + off * off);
  }
  out.mean = first;
  if (out.family == Family::kGaussian || out.family == Family::kScores) out.variance = spread;
  if (!is_count(out.family)) return;
  const double over = spread - first;  // what a poisson of this mean does not have
  out.family = over > 1e-9 * first ? Family::kNegativeBinomial : Family::kPoisson;
  if (out.family == Family::kNegativeBinomial) out.size = first * first / over;
}

}  // namespace fewshop
