#include "runtime/glm.h"

#include <gtest/gtest.h>

#include "core/random.h"

namespace fewshop {
namespace {

std::vector<std::pair<Glm, std::vector<double>>> models() {
  Glm gaussian, bernoulli, poisson, wide, ordinal;
  gaussian.variance = 0.7;
  bernoulli.family = Family::kBernoulli;
  poisson.family = Family::kPoisson;
  wide.family = Family::kNegativeBinomial;
  wide.size = 2.5;
  ordinal.family = Family::kOrdinal;
  ordinal.threshold = {-1, 0.5, 2};
  return {
      {gaussian, {-1, 0, 2.5}}, {bernoulli, {0, 1}}, {poisson, {0, 1, 7}}, {wide, {0, 1, 7}}, {ordinal, {0, 1, 2, 3}}};
}

TEST(GlmTest, SlopesAreThoseOfTheLogLikelihood) {
  constexpr double kStep = 1e-5;
  for (const auto& [glm, targets] : models())
    for (const double target : targets)
      for (const double eta : {-2.0, -0.3, 0.0, 1.1}) {
        const double rise = glm.log_likelihood(eta + kStep, target) - glm.log_likelihood(eta - kStep, target);
        EXPECT_NEAR(glm.slope(eta, target), rise / (2 * kStep), 1e-5) << family_name(glm.family) << " " << target;
      }
}

/// The expected curvature: over the targets as the model itself draws them.
TEST(GlmTest, CurvatureIsTheExpectedSecondDerivative) {
  constexpr double kStep = 1e-4;
  for (const auto& [glm, targets] : models()) {
    if (glm.family == Family::kGaussian) continue;
    for (const double eta : {-1.0, 0.2, 1.3}) {
      Predictive p;
      glm.predict(eta, 0, p);
      double expected = 0, stated = 0;
      const int most = glm.family == Family::kBernoulli ? 1 : glm.family == Family::kOrdinal ? 3 : 300;
      for (int y = 0; y <= most; ++y) {
        const double share = std::exp(log_prob(p, y));
        expected -= share * (glm.slope(eta + kStep, y) - glm.slope(eta - kStep, y)) / (2 * kStep);
        stated += share * glm.curvature(eta, y);
      }
      EXPECT_NEAR(stated, expected, 1e-3 * (1 + expected)) << family_name(glm.family);
    }
  }
}

/// The closed forms of a gaussian eta against draws of it.
TEST(GlmTest, PredictionsAverageOverEta) {
  Random random(3);
  constexpr double kEta = 0.8, kVariance = 0.6;
  constexpr int kDraws = 200'000;
  for (const auto& [glm, targets] : models()) {
    double first = 0, second = 0;
    Predictive one, all;
    for (int i = 0; i < kDraws; ++i) {
      glm.predict(kEta + std::sqrt(kVariance) * random.normal(), 0, one);
      first += mean(one) / kDraws;
      second += (variance(one) + mean(one) * mean(one)) / kDraws;
    }
    glm.predict(kEta, kVariance, all);
    // The damped sigmoid is an approximation, good to a percent.
    const double near = glm.family == Family::kBernoulli || glm.family == Family::kOrdinal ? 0.02 : 0.03 * (1 + first);
    EXPECT_NEAR(mean(all), first, near) << family_name(glm.family);
    EXPECT_NEAR(variance(all), second - first * first, 0.05 * (1 + second)) << family_name(glm.family);
  }
}

TEST(GlmTest, SoftmaxAddsUpToOneWhateverIsAdded) {
  std::vector<double> p(3);
  softmax(std::vector<double>{1000, 1001, 999}, p);
  EXPECT_NEAR(p[0] + p[1] + p[2], 1, 1e-12);
  EXPECT_NEAR(p[1] / p[0], std::exp(1.0), 1e-9);
}

}  // namespace
}  // namespace fewshop
