#include "learner/laplace.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "learner/ordinal.h"
#include "nn/gram_solve.h"
#include "runtime/gauss_hermite.h"

namespace fewshop::learning {
namespace {

constexpr double kLongestStep = 2;  // of a link value in one Newton step

/// sqrt(sigmoid(x) (1 - sigmoid(x))), never 0.
Tensor logistic_root(const Tensor& x) { return (0.5 * (at::log_sigmoid(x) + at::log_sigmoid(-x))).exp(); }

LinkCurvature categorical_curvature(const Tensor& eta, const Tensor& target) {
  // diag(p) - p p^T = R R^T with R = diag(sqrt p) - p sqrt(p)^T.
  const Tensor log_p = eta.log_softmax(-1), p = log_p.exp(), half = (0.5 * log_p).exp();
  const Tensor chosen = at::one_hot(target.to(at::kLong), eta.size(-1)).to(eta.scalar_type());
  return {chosen - p, at::diag_embed(half) - p.unsqueeze(-1) * half.unsqueeze(-2)};
}

LinkCurvature ordinal_curvature(const Tensor& eta, const Tensor& target, std::span<const Tensor> beside) {
  // log p = log(F - G) with F, G the logistic function at the thresholds above and below; their log difference has the
  // derivatives F + G - 1 and -(F (1 - F) + G (1 - G)).
  constexpr double kEnd = 1e4;  // a threshold beyond all link values
  const Tensor inner = ordinal_thresholds(beside), end = at::full({1}, kEnd, inner.options());
  const Tensor all = at::cat({-end, inner, end});
  const Tensor number = target.to(at::kLong);
  const auto logit = [&](const Tensor& index) {
    return all.index_select(0, index.reshape(-1)).view(index.sizes()) - eta;
  };
  const Tensor above = logit(number + 1), below = logit(number);
  const Tensor weight = logistic_root(above).square() + logistic_root(below).square();
  return {above.sigmoid() + below.sigmoid() - 1, (weight + 1e-30).sqrt()};
}

/// Curvature of likelihoods of one output; eta [T, S].
LinkCurvature single_curvature(const Likelihood& likelihood, std::span<const Tensor> beside, const Tensor& eta,
                               const Tensor& target) {
  switch (likelihood.family()) {
    case Family::kGaussian:
      return {(target - eta) * (-beside[0]).exp(), (-0.5 * beside[0]).exp().expand_as(eta)};
    case Family::kPoisson:
      return {target - eta.exp(), (0.5 * eta).exp()};
    case Family::kNegativeBinomial: {
      const Tensor logit = eta - beside[0];  // of mean / (mean + dispersion)
      return {target * (-logit).sigmoid() - beside[0].exp() * logit.sigmoid(),
              (target + beside[0].exp()).sqrt() * logistic_root(logit)};
    }
    case Family::kOrdinal:
      return ordinal_curvature(eta, target, beside);
    default:
      return {target - eta.sigmoid(), logistic_root(eta)};
  }
}

/// V of LaplacePosterior.
Tensor rooted(const Tensor& root, const Tensor& z) {
  const int64_t tasks = z.size(0), rows = z.size(1), h = z.size(2), outputs = root.size(-1);
  const Tensor v = root.transpose(-1, -2).unsqueeze(-1) * z.unsqueeze(2).unsqueeze(2);  // [T, S, a, o, h]
  return v.reshape({tasks, rows * outputs, outputs * h});
}

Distribution count_mixture(const Likelihood& likelihood, std::span<const Tensor> beside, const Tensor& mean,
                           const Tensor& variance) {
  // Log-normal means: E = exp(m + v/2), Var = E + E^2 (e^v - 1) for Poisson; with dispersion r, E^2 (e^v (1 + 1/r) -
  // 1).
  Tensor excess = variance.expm1();
  if (likelihood.family() == Family::kNegativeBinomial) excess = excess + variance.exp() * (-beside[0]).exp();
  return {Family::kNegativeBinomial, {{"log_mean", mean + 0.5 * variance}, {"log_dispersion", -excess.log()}}};
}

Distribution categorical_mixture(const LinkValues& link) {
  const Tensor diagonal = link.covariance.diagonal(0, -2, -1);
  const Tensor variance = diagonal.unsqueeze(-1) + diagonal.unsqueeze(-2) - link.covariance -
                          link.covariance.transpose(-1, -2);                    // of differences; 0 on the diagonal
  const Tensor difference = link.mean.unsqueeze(-1) - link.mean.unsqueeze(-2);  // [T, Q, c, j]: m_c - m_j
  const Tensor scaled = difference / (1 + std::numbers::pi / 8 * variance).sqrt();
  return {Family::kCategorical, {{"logits", (-(-scaled).logsumexp({-1})).log_softmax(-1)}}};
}

}  // namespace

LinkCurvature link_curvature(const Likelihood& likelihood, std::span<const Tensor> beside, const Tensor& eta,
                             const Tensor& target) {
  if (likelihood.family() == Family::kCategorical) return categorical_curvature(eta, target);
  const LinkCurvature one = single_curvature(likelihood, beside, eta.squeeze(-1), target);
  return {one.gradient.unsqueeze(-1), one.root.unsqueeze(-1).unsqueeze(-1)};
}

LaplacePosterior laplace(const Likelihood& likelihood, std::span<const Tensor> beside, const LinkRows& rows,
                         int steps) {
  const int64_t tasks = rows.z.size(0), h = rows.z.size(2), outputs = rows.base.size(2);
  const Tensor importance = rows.importance.unsqueeze(-1), root_importance = importance.sqrt().unsqueeze(-1);
  LaplacePosterior posterior;
  posterior.mean = at::zeros({tasks, outputs, h}, rows.z.options());
  Tensor moved = at::zeros_like(rows.base);  // eta - base
  if (likelihood.family() == Family::kGaussian) steps = 1;
  for (int step = 0; step < steps; ++step) {
    const LinkCurvature curve = link_curvature(likelihood, beside, rows.base + moved, rows.target);
    const Tensor root = curve.root * root_importance;
    posterior.root = rooted(root, rows.z);
    posterior.evidence = at::matmul(root, at::matmul(root.transpose(-1, -2), moved.unsqueeze(-1))).squeeze(-1) +
                         importance * curve.gradient;
    const Tensor right = at::matmul(posterior.evidence.transpose(1, 2), rows.z).reshape({tasks, outputs * h, 1});
    const Tensor target = nn::gram_solve(posterior.root, right).reshape({tasks, outputs, h});
    if (step == steps - 1 || rows.z.size(1) == 0) {
      posterior.mean = target;
      break;
    }
    const Tensor change = at::matmul(rows.z, target.transpose(1, 2)) - moved;
    const Tensor longest = (change.abs() * importance.gt(0)).amax({1, 2}, true);
    const Tensor share = kLongestStep / longest.clamp_min(kLongestStep);  // [T, 1, 1]
    moved = moved + share * change;
    posterior.mean = posterior.mean + share * (target - posterior.mean);
  }
  return posterior;
}

LinkValues link_values(const LaplacePosterior& posterior, const Tensor& z, const Tensor& base) {
  const int64_t tasks = z.size(0), queries = z.size(1), h = z.size(2), outputs = base.size(2);
  const Tensor mean = base + at::matmul(z, posterior.mean.transpose(1, 2));
  // One row per query and output: z in the columns of that output.
  const Tensor x = (at::eye(outputs, z.options()).unsqueeze(-1) * z.unsqueeze(2).unsqueeze(2))
                       .reshape({tasks, queries * outputs, outputs * h});
  const Tensor solved = nn::gram_solve(posterior.root, x.transpose(1, 2));  // [T, O H, Q O]
  const Tensor columns = solved.reshape({tasks, outputs * h, queries, outputs}).permute({0, 2, 1, 3});
  return {mean, at::matmul(x.reshape({tasks, queries, outputs, outputs * h}), columns)};
}

Tensor link_evidence(const LaplacePosterior& posterior, const Tensor& z_query, const Tensor& z_support) {
  const int64_t tasks = z_query.size(0), queries = z_query.size(1), h = z_query.size(2);
  const int64_t outputs = posterior.mean.size(1), rows = z_support.size(1);
  const Tensor x = (at::eye(outputs, z_query.options()).unsqueeze(-1) * z_query.unsqueeze(2).unsqueeze(2))
                       .reshape({tasks, queries * outputs, outputs * h});
  const Tensor solved = nn::gram_solve(posterior.root, x.transpose(1, 2)).transpose(1, 2);  // [T, Q O, O H]
  // Row s adds z_s e_s,o to the right-hand side of output o.
  const Tensor parts = at::matmul(solved.reshape({tasks, queries * outputs * outputs, h}), z_support.transpose(1, 2));
  const Tensor by_output = parts.reshape({tasks, queries, outputs, outputs, rows});
  return (by_output * posterior.evidence.transpose(1, 2).unsqueeze(1).unsqueeze(1)).sum(3);
}

Distribution link_mixture(const Likelihood& likelihood, std::span<const Tensor> beside, const LinkValues& link) {
  if (likelihood.family() == Family::kCategorical) return categorical_mixture(link);
  const Tensor mean = link.mean.squeeze(-1), variance = link.covariance.squeeze(-1).squeeze(-1).clamp_min(1e-12);
  switch (likelihood.family()) {
    case Family::kGaussian:
      return {Family::kGaussian, {{"mean", mean}, {"variance", variance + beside[0].exp()}}};
    case Family::kPoisson:
    case Family::kNegativeBinomial:
      return count_mixture(likelihood, beside, mean, variance);
    default:
      break;
  }
  const auto& rule = link_rule();
  const auto constant = [&](const auto& values) {
    Tensor t = at::empty({static_cast<int64_t>(values.size())}, mean.options());
    std::copy(values.begin(), values.end(), t.template data_ptr<double>());
    return t;
  };
  const Tensor eta = mean.unsqueeze(-1) + variance.sqrt().unsqueeze(-1) * constant(rule.node);  // [T, Q, K]
  const Tensor weight = constant(rule.weight);
  if (likelihood.family() == Family::kOrdinal) {
    const Tensor p = likelihood.distribution(eta.unsqueeze(-1), beside).parameters.at("probabilities");  // [T, Q, K, C]
    return {Family::kOrdinal, {{"probabilities", at::matmul(weight, p)}}};
  }
  const Tensor one = (weight.log() + at::log_sigmoid(eta)).logsumexp({-1});
  const Tensor zero = (weight.log() + at::log_sigmoid(-eta)).logsumexp({-1});
  return {likelihood.family(), {{"logit", one - zero}}};
}

}  // namespace fewshop::learning
