#include "runtime/glm.h"

#include <algorithm>
#include <numbers>

namespace fewshop {
namespace {

constexpr double kMostEta = 30;  // exp of it is 1e13: larger counts are none

double rate(double eta) { return std::exp(std::clamp(eta, -kMostEta, kMostEta)); }

/// Distribution function of the ordered logit below and above class c.
struct Bounds {
  double lower, upper;
};

Bounds bounds(const std::vector<double>& threshold, double eta, size_t c) {
  return {c == 0 ? 0 : sigmoid(threshold[c - 1] - eta), c == threshold.size() ? 1 : sigmoid(threshold[c] - eta)};
}

}  // namespace

double sigmoid(double x) { return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x)); }

void softmax(std::span<const double> eta, std::span<double> probability) {
  const double most = *std::max_element(eta.begin(), eta.end());
  double sum = 0;
  for (size_t c = 0; c < eta.size(); ++c) sum += probability[c] = std::exp(eta[c] - most);
  for (double& p : probability) p /= sum;
}

double Glm::slope(double eta, double target) const {
  switch (family) {
    case Family::kBernoulli:
      return target - sigmoid(eta);
    case Family::kPoisson:
      return target - rate(eta);
    case Family::kNegativeBinomial:
      return (target - rate(eta)) / (1 + rate(eta) / size);
    case Family::kOrdinal: {
      const auto [lower, upper] = bounds(threshold, eta, static_cast<size_t>(target));
      return upper + lower - 1;
    }
    default:
      return (target - eta) / variance;
  }
}

double Glm::curvature(double eta, double target) const {
  constexpr double kLeast = 1e-9;
  switch (family) {
    case Family::kBernoulli: {
      const double p = sigmoid(eta);
      return std::max(kLeast, p * (1 - p));
    }
    case Family::kPoisson:
      return std::max(kLeast, rate(eta));
    case Family::kNegativeBinomial:
      return std::max(kLeast, rate(eta) / (1 + rate(eta) / size));
    case Family::kOrdinal: {
      const auto [lower, upper] = bounds(threshold, eta, static_cast<size_t>(target));
      return std::max(kLeast, upper * (1 - upper) + lower * (1 - lower));
    }
    default:
      return 1 / variance;
  }
}

double Glm::log_likelihood(double eta, double target) const {
  switch (family) {
    case Family::kBernoulli:
      return target > 0.5 ? -std::log1p(std::exp(-std::max(eta, -700.0))) : -std::log1p(std::exp(std::min(eta, 700.0)));
    case Family::kPoisson:
      return log_prob(Predictive::poisson(rate(eta)), target);
    case Family::kNegativeBinomial:
      return log_prob(Predictive::negative_binomial(rate(eta), size), target);
    case Family::kOrdinal: {
      const auto [lower, upper] = bounds(threshold, eta, static_cast<size_t>(target));
      return std::log(std::max(1e-300, upper - lower));
    }
    default:
      return log_prob(Predictive::gaussian(eta, variance), target);
  }
}

void Glm::predict(double eta, double eta_variance, Predictive& out) const {
  const double damped = 1 / std::sqrt(1 + std::numbers::pi * eta_variance / 8);
  out.family = family;
  switch (family) {
    case Family::kBernoulli:
      out.mean = sigmoid(damped * eta);
      return;
    case Family::kPoisson:
      out.mean = rate(eta + eta_variance / 2);
      if (eta_variance <= 0) return;
      // A log-normal mean makes the count wider: the negative binomial of the same two moments.
      out.family = Family::kNegativeBinomial;
      out.size = 1 / std::expm1(std::min(eta_variance, kMostEta));
      return;
    case Family::kNegativeBinomial: {
      out.mean = rate(eta + eta_variance / 2);
      const double wider = std::exp(std::min(std::max(0.0, eta_variance), kMostEta));
      out.size = 1 / (wider / size + wider - 1);
      return;
    }
    case Family::kOrdinal: {
      const size_t classes = threshold.size() + 1;
      out.probability.resize(classes);
      double below = 0;
      for (size_t c = 0; c < classes; ++c) {
        const double upto = c + 1 == classes ? 1 : sigmoid(damped * (threshold[c] - eta));
        out.probability[c] = std::max(0.0, upto - below);
        below = std::max(below, upto);
      }
      return;
    }
    default:
      out.mean = eta;
      out.variance = variance + std::max(0.0, eta_variance);
  }
}

}  // namespace fewshop
