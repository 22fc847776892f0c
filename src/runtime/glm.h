#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "runtime/predictive.h"

namespace fewshop {

/// The likelihood of a generalised linear model with one linear predictor eta per row:
///
///   gaussian            N(y; eta, variance)
///   bernoulli           P(1) = sigma(eta)
///   poisson             mean exp(eta)
///   negative-binomial   mean exp(eta), size r
///   ordinal             P(y <= c) = sigma(threshold[c] - eta), thresholds rising
///
/// categorical has one predictor per class (softmax) and is worked out where it is used.
/// McCullagh, Nelder. "Generalized linear models." 1989.
struct Glm {
  Family family = Family::kGaussian;
  double variance = 1;            // gaussian
  double size = 0;                // negative-binomial
  std::vector<double> threshold;  // ordinal [C - 1]

  /// d log p / d eta.
  double slope(double eta, double target) const;
  /// Minus the expected second derivative: the weight of a row in a Newton (Fisher scoring) step; above 0.
  double curvature(double eta, double target) const;
  double log_likelihood(double eta, double target) const;

  /// The predictive where eta is gaussian with this mean and variance: exact for gaussian; for bernoulli and ordinal
  /// eta (threshold - eta) is multiplied by 1 / sqrt(1 + pi v / 8), and for counts the mean is exp(eta + v / 2).
  /// MacKay. "The evidence framework applied to classification networks." Neural Computation 4, 1992.
  void predict(double eta, double eta_variance, Predictive& out) const;
};

double sigmoid(double x);

/// probability [C] = softmax of eta [C]; the two may be the same array.
void softmax(std::span<const double> eta, std::span<double> probability);

}  // namespace fewshop
