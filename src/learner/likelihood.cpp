#include "learner/likelihood.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <cmath>
#include <numbers>

#include "core/error.h"
#include "learner/ordinal.h"

namespace fewshop::learning {
namespace {

/// P(target <= c) for c = 0 .. C - 2 as logits: [T, Q, C - 1].
Tensor cumulative_logits(const Tensor& output, std::span<const Tensor> beside) {
  return ordinal_thresholds(beside) - output;
}

/// log(sigmoid(upper) - sigmoid(lower)) for lower < upper, without cancellation.
Tensor log_difference(const Tensor& upper, const Tensor& lower) {
  return at::log_sigmoid(upper) + at::log_sigmoid(-lower) + (-(lower - upper).exp()).log1p();
}

/// log P of every class: [T, Q, C].
Tensor ordinal_log_probabilities(const Tensor& output, std::span<const Tensor> beside) {
  const Tensor logits = cumulative_logits(output, beside);
  const int64_t last = logits.size(-1) - 1;
  std::vector<Tensor> parts{at::log_sigmoid(logits.narrow(-1, 0, 1))};
  if (last > 0) parts.push_back(log_difference(logits.narrow(-1, 1, last), logits.narrow(-1, 0, last)));
  parts.push_back(at::log_sigmoid(-logits.narrow(-1, last, 1)));
  return at::cat(parts, -1);
}

}  // namespace

Likelihood::Likelihood(Family family, int64_t classes) : family_(family), classes_(classes) {
  if (family == Family::kCategorical || family == Family::kOrdinal)
    require(classes >= 2, family_name(family), ": at least two classes are needed, got ", classes);
}

std::vector<std::pair<std::string, Tensor>> Likelihood::initial(double target_variance, at::ScalarType type) const {
  const auto scalar = [&](double value) { return at::full({}, value, type); };
  if (family_ == Family::kGaussian) return {{"log_noise", scalar(std::log(target_variance))}};
  if (family_ == Family::kNegativeBinomial) return {{"log_dispersion", scalar(0)}};
  if (family_ != Family::kOrdinal) return {};
  // Thresholds one apart around 0: the classes in the middle begin about equally likely.
  return {{"cut_start", scalar(-0.5 * static_cast<double>(classes_ - 2))},
          {"cut_log_steps", at::zeros({classes_ - 2}, type)}};
}

Distribution Likelihood::distribution(const Tensor& output, std::span<const Tensor> beside) const {
  const Tensor first = output.select(-1, 0);
  switch (family_) {
    case Family::kGaussian:
      return {family_, {{"mean", first}, {"variance", beside[0].exp().expand_as(first)}}};
    case Family::kScores:
      return {family_, {{"mean", first}, {"variance", at::zeros_like(first)}}};
    case Family::kBernoulli:
      return {family_, {{"logit", first}}};
    case Family::kCategorical:
      return {family_, {{"logits", output}}};
    case Family::kOrdinal:
      return {family_, {{"probabilities", ordinal_log_probabilities(output, beside).exp()}}};
    case Family::kPoisson:
      return {family_, {{"log_rate", first}}};
    case Family::kNegativeBinomial:
      return {family_, {{"log_mean", first}, {"log_dispersion", beside[0].expand_as(first)}}};
  }
  throw Failure("likelihood: unknown family");
}

Tensor Likelihood::loss(const Tensor& output, const Tensor& target, std::span<const Tensor> beside) const {
  const Tensor first = output.select(-1, 0);
  if (family_ == Family::kScores) return at::softplus(first) - target * first;
  if (family_ == Family::kOrdinal)
    return -ordinal_log_probabilities(output, beside).gather(-1, target.to(at::kLong).unsqueeze(-1)).squeeze(-1);
  return -distribution(output, beside).log_prob(target);
}

Tensor mean_loss(const Tensor& loss, const Tensor& mask, const Tensor& weight) {
  const Tensor importance = mask * weight;
  return ((loss * importance).sum(1) / importance.sum(1).clamp_min(1e-6)).mean();
}

}  // namespace fewshop::learning
