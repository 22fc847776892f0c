#include "runtime/predictive.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "core/error.h"

namespace fewshop {
namespace {

Predictive classes(Family family, std::vector<double> probability) { return {family, 0, 0, 0, std::move(probability)}; }

TEST(PredictiveTest, MeansAndVariancesAreThoseOfTheTextbook) {
  EXPECT_EQ(mean(Predictive::gaussian(2, 9)), 2);
  EXPECT_EQ(variance(Predictive::gaussian(2, 9)), 9);
  EXPECT_DOUBLE_EQ(variance(Predictive::bernoulli(0.2)), 0.16);
  EXPECT_EQ(variance(Predictive::poisson(3)), 3);
  EXPECT_DOUBLE_EQ(variance(Predictive::negative_binomial(3, 2)), 3 + 9.0 / 2);
  const Predictive p = classes(Family::kOrdinal, {0.5, 0.25, 0.25});
  EXPECT_DOUBLE_EQ(mean(p), 0.75);
  EXPECT_DOUBLE_EQ(variance(p), 0.25 + 1 - 0.75 * 0.75);
  EXPECT_TRUE(std::isnan(mean(classes(Family::kCategorical, {0.5, 0.5}))));
}

TEST(PredictiveTest, LogProbabilitiesAreThoseOfTheDistributions) {
  EXPECT_NEAR(log_prob(Predictive::gaussian(1, 4), 3), -0.5 * (1 + std::log(2 * std::numbers::pi * 4)), 1e-12);
  EXPECT_NEAR(log_prob(Predictive::bernoulli(0.2), 1), std::log(0.2), 1e-12);
  EXPECT_NEAR(log_prob(Predictive::bernoulli(0.2), 0), std::log(0.8), 1e-12);
  EXPECT_NEAR(log_prob(Predictive::poisson(3), 2), std::log(std::exp(-3.0) * 9 / 2), 1e-12);
  // (n + r - 1 choose n) (r / (r + mu))^r (mu / (r + mu))^n with r = 2, mu = 3, n = 1.
  EXPECT_NEAR(log_prob(Predictive::negative_binomial(3, 2), 1), std::log(2 * 0.4 * 0.4 * 0.6), 1e-12);
  EXPECT_NEAR(log_prob(classes(Family::kCategorical, {0.1, 0.9}), 1), std::log(0.9), 1e-12);
  EXPECT_NEAR(log_prob(Predictive::bernoulli(0), 1), std::log(1e-12), 1e-9) << "one impossible event is not infinite";
  EXPECT_THROW(log_prob({Family::kScores, 1, 1, 0, {}}, 1), InvalidInput);
}

TEST(PredictiveTest, CountsAddUpToOneAndHaveTheirMean) {
  for (const Predictive& p : {Predictive::poisson(4.5), Predictive::negative_binomial(4.5, 1.5)}) {
    double sum = 0, first = 0, second = 0;
    for (int n = 0; n < 500; ++n) {
      const double share = std::exp(log_prob(p, n));
      sum += share;
      first += share * n;
      second += share * n * n;
    }
    EXPECT_NEAR(sum, 1, 1e-6);
    EXPECT_NEAR(first, mean(p), 1e-4);
    EXPECT_NEAR(second - first * first, variance(p), 1e-2);
  }
}

TEST(PredictiveTest, QuantilesAreTheLeastValuesThatHoldTheShare) {
  EXPECT_NEAR(quantile(Predictive::gaussian(1, 4), 0.975), 1 + 2 * 1.959963984540054, 1e-9);
  EXPECT_EQ(quantile(Predictive::bernoulli(0.2), 0.8), 0);
  EXPECT_EQ(quantile(Predictive::bernoulli(0.2), 0.81), 1);
  EXPECT_EQ(quantile(classes(Family::kOrdinal, {0.1, 0.3, 0.6}), 0.4), 1);
  EXPECT_EQ(quantile(classes(Family::kOrdinal, {0.1, 0.3, 0.6}), 0.41), 2);
  const Predictive p = Predictive::poisson(3);
  double below = 0;
  for (int n = 0; n < 20; ++n) {
    const double upto = below + std::exp(log_prob(p, n));
    EXPECT_EQ(quantile(p, (below + upto) / 2), n);
    below = upto;
  }
  EXPECT_NEAR(quantile(Predictive::poisson(4e6), 0.975), 4e6 + 1.96 * 2000, 2) << "far out as a gaussian";
  EXPECT_THROW(quantile(p, 1), InvalidInput);
}

TEST(PredictiveTest, LinksAndLevelsAreInverse) {
  for (const Family family : {Family::kGaussian, Family::kBernoulli, Family::kPoisson, Family::kOrdinal})
    for (const double x : {-3.0, -0.1, 0.0, 2.5}) EXPECT_NEAR(link(family, level_of(family, x)), x, 1e-9);
  EXPECT_NEAR(link(Family::kBernoulli, 0.75), std::log(3.0), 1e-12);
  EXPECT_NEAR(level(classes(Family::kOrdinal, {0, 0, 1}), 0), 1, 1e-12) << "the last class is the top of the scale";
  EXPECT_NEAR(level(classes(Family::kCategorical, {0.3, 0.7}), 0), 0.3, 1e-12);
}

TEST(PredictiveTest, APoolHasTheMixturesMeanAndVariance) {
  const std::vector<double> weight{0.25, 0.75};
  Predictive out;
  pool(std::vector{Predictive::gaussian(0, 1), Predictive::gaussian(4, 2)}, weight, out);
  EXPECT_DOUBLE_EQ(mean(out), 3);
  EXPECT_DOUBLE_EQ(variance(out), 0.25 * (1 + 9) + 0.75 * (2 + 1));
  pool(std::vector{Predictive::poisson(1), Predictive::poisson(5)}, weight, out);
  EXPECT_EQ(out.family, Family::kNegativeBinomial);
  EXPECT_DOUBLE_EQ(mean(out), 4);
  EXPECT_NEAR(variance(out), 0.25 * (1 + 9) + 0.75 * (5 + 1), 1e-9);
  pool(std::vector{Predictive::poisson(2), Predictive::poisson(2)}, weight, out);
  EXPECT_EQ(out.family, Family::kPoisson) << "two that say the same are no wider";
  pool(std::vector{classes(Family::kOrdinal, {1, 0}), classes(Family::kOrdinal, {0, 1})}, weight, out);
  EXPECT_EQ(out.probability, weight);
  EXPECT_THROW(pool({}, {}, out), InvalidInput);
}

TEST(PredictiveTest, TheMostProbableClassIsTheFirstOfSeveral) {
  EXPECT_EQ(most_probable(classes(Family::kCategorical, {0.4, 0.4, 0.2})), 0);
  EXPECT_EQ(most_probable(Predictive::bernoulli(0.5)), 1);
  EXPECT_EQ(most_probable(Predictive::bernoulli(0.49)), 0);
}

TEST(FamilyTest, NamesLeadBack) {
  for (const Family family : {Family::kGaussian, Family::kScores, Family::kBernoulli, Family::kCategorical,
                              Family::kOrdinal, Family::kPoisson, Family::kNegativeBinomial})
    EXPECT_EQ(family_from_name(family_name(family)), family);
  EXPECT_FALSE(family_from_name("gauss").has_value());
}

}  // namespace
}  // namespace fewshop
