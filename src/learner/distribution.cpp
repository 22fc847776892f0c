#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <cmath>
#include <numbers>

#include "core/error.h"
#include "learner/learner.h"

namespace fewshop::learning {
namespace {

/// Counts beyond mean + this many deviations have no weight worth counting.
constexpr double kCountDeviations = 12;

Tensor class_numbers(const Tensor& probabilities) {
  return at::arange(probabilities.size(-1), probabilities.options());
}

/// log p of the counts [T, Q] (or of more axes that broadcast).
Tensor log_count(const Distribution& d, const Tensor& count) {
  if (d.family == Family::kPoisson) {
    const Tensor log_rate = d.parameters.at("log_rate");
    return count * log_rate - log_rate.exp() - at::lgamma(count + 1);
  }
  // With a dispersion r and a mean m: p = m / (m + r), all through logarithms so that nothing overflows.
  const Tensor log_mean = d.parameters.at("log_mean"), log_r = d.parameters.at("log_dispersion");
  const Tensor r = log_r.exp(), log_sum = at::logaddexp(log_mean, log_r);
  return at::lgamma(count + r) - at::lgamma(r) - at::lgamma(count + 1) + r * (log_r - log_sum) +
         count * (log_mean - log_sum);
}

/// The distribution with a last axis of 1, to be laid over many counts.
Distribution unsqueezed(const Distribution& d) {
  Distribution wide{d.family, {}};
  for (const auto& [name, value] : d.parameters) wide.parameters[name] = value.unsqueeze(-1);
  return wide;
}

/// Cumulative probabilities of the counts 0, 1, ... as far as they matter: [T, Q, N].
Tensor cumulative_counts(const Distribution& d) {
  const double most = (d.mean() + kCountDeviations * d.variance().sqrt()).max().item<double>() + kCountDeviations;
  require(most < 1e7, "quantile: counts around ", most, " are too large to be counted through");
  const Tensor counts = at::arange(static_cast<int64_t>(most) + 1, d.mean().options());
  return log_count(unsqueezed(d), counts).exp().cumsum(-1);
}

/// Cumulative probabilities of classes or counts: [T, Q, N].
Tensor cumulative(const Distribution& d) {
  if (d.family == Family::kPoisson || d.family == Family::kNegativeBinomial) return cumulative_counts(d);
  return d.probabilities().cumsum(-1);
}

bool has_classes(Family family) {
  return family == Family::kBernoulli || family == Family::kCategorical || family == Family::kOrdinal;
}

}  // namespace

Tensor Distribution::probabilities() const {
  require(has_classes(family), "probabilities: a ", family_name(family), " distribution has no classes");
  if (family == Family::kBernoulli) {
    const Tensor p = parameters.at("logit").sigmoid();
    return at::stack({1 - p, p}, -1);
  }
  return family == Family::kCategorical ? parameters.at("logits").softmax(-1) : parameters.at("probabilities");
}

Tensor Distribution::mean() const {
  if (family == Family::kPoisson) return parameters.at("log_rate").exp();
  if (family == Family::kNegativeBinomial) return parameters.at("log_mean").exp();
  if (!has_classes(family)) return parameters.at("mean");
  const Tensor p = probabilities();
  return (p * class_numbers(p)).sum(-1);
}

Tensor Distribution::variance() const {
  if (family == Family::kPoisson) return mean();
  if (family == Family::kNegativeBinomial) return mean() + mean().square() / parameters.at("log_dispersion").exp();
  if (!has_classes(family)) return parameters.at("variance");
  const Tensor p = probabilities();
  return (p * (class_numbers(p) - mean().unsqueeze(-1)).square()).sum(-1);
}

Tensor Distribution::quantile(double p) const {
  require(family != Family::kScores, "quantile: scores have no unit, so no quantiles");
  require(p > 0 && p < 1, "quantile: ", p, " is outside (0, 1)");
  if (family == Family::kGaussian) {
    const double z = std::numbers::sqrt2 * at::erfinv(at::scalar_tensor(2 * p - 1, at::kDouble)).item<double>();
    return mean() + z * variance().sqrt();
  }
  const Tensor reached = cumulative(*this);
  return reached.lt(p).sum(-1).clamp_max(reached.size(-1) - 1).to(reached.scalar_type());
}

Tensor Distribution::log_prob(const Tensor& target) const {
  require(family != Family::kScores, "log_prob: scores have no density over targets");
  if (family == Family::kGaussian) {
    const Tensor error = target - mean();
    return -0.5 * (error * error / variance() + variance().log() + std::log(2 * std::numbers::pi));
  }
  if (!has_classes(family)) return log_count(*this, target);
  if (family == Family::kBernoulli) {
    const Tensor logit = parameters.at("logit");
    return target * logit - at::softplus(logit);
  }
  const Tensor log_p =
      family == Family::kCategorical ? parameters.at("logits").log_softmax(-1) : parameters.at("probabilities").log();
  return log_p.gather(-1, target.to(at::kLong).unsqueeze(-1)).squeeze(-1);
}

Tensor Distribution::sample(uint64_t seed) const {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  if (family == Family::kGaussian || family == Family::kScores) {
    const Tensor center = mean();
    return center + variance().sqrt() * at::randn(center.sizes(), generator, center.options());
  }
  const Tensor reached = cumulative(*this);
  const Tensor draw = at::rand(mean().sizes(), generator, reached.options());
  return reached.lt(draw.unsqueeze(-1)).sum(-1).clamp_max(reached.size(-1) - 1).to(reached.scalar_type());
}

}  // namespace fewshop::learning
