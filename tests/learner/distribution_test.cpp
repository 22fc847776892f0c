#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "core/error.h"
#include "learner/catalogue.h"
#include "learner/learner.h"
#include "learner/training.h"

namespace fewshop::learning {
namespace {

Distribution gaussian(const Tensor& mean, const Tensor& variance) {
  return {Family::kGaussian, {{"mean", mean}, {"variance", variance}}};
}

Distribution two() { return gaussian(at::tensor({1.0, -2.0}).view({1, 2}), at::tensor({4.0, 0.25}).view({1, 2})); }

TEST(DistributionTest, QuantilesOfANormalAreThoseOfTheTables) {
  const auto expect = [](double p, double z) {
    const Tensor q = two().quantile(p);
    EXPECT_NEAR(q[0][0].item<double>(), 1 + 2 * z, 1e-8) << p;
    EXPECT_NEAR(q[0][1].item<double>(), -2 + 0.5 * z, 1e-8) << p;
  };
  expect(0.5, 0);
  expect(0.975, 1.959963984540054);
  expect(0.025, -1.959963984540054);
  expect(0.9, 1.2815515655446004);
  expect(0.001, -3.090232306167813);
  for (const double p : {0.0, 1.0, -0.1, 2.0}) EXPECT_THROW(two().quantile(p), InvalidInput) << p;
}

TEST(DistributionTest, TheLogDensityIsThatOfTheNormal) {
  const Tensor at_target = two().log_prob(at::tensor({1.0, -1.0}).view({1, 2}));
  // At its mean with deviation 2; two deviations of 0.5 above its mean.
  EXPECT_NEAR(at_target[0][0].item<double>(), -std::log(2 * std::sqrt(2 * std::numbers::pi)), 1e-12);
  EXPECT_NEAR(at_target[0][1].item<double>(), -std::log(0.5 * std::sqrt(2 * std::numbers::pi)) - 2 * 2 / 2.0, 1e-12);
  // A density sums to 1.
  const Tensor grid = at::linspace(-19, 21, 4001, at::kDouble);
  const Distribution one = gaussian(at::full({4001}, 1.0, at::kDouble), at::full({4001}, 4.0, at::kDouble));
  EXPECT_NEAR(one.log_prob(grid).exp().sum().item<double>() * 0.01, 1, 1e-6);
}

TEST(DistributionTest, SamplesHaveTheMeanAndVarianceAndFollowTheSeed) {
  constexpr int kRows = 100'000;
  const Distribution many = gaussian(at::full({kRows}, 3.0, at::kDouble), at::full({kRows}, 4.0, at::kDouble));
  const Tensor draw = many.sample(7);
  EXPECT_NEAR(draw.mean().item<double>(), 3, 5 * 2 / std::sqrt(kRows));
  EXPECT_NEAR(draw.var().item<double>(), 4, 5 * 4 * std::sqrt(2.0 / kRows));
  EXPECT_NEAR(draw.lt(many.quantile(0.9)).to(at::kDouble).mean().item<double>(), 0.9, 5 * std::sqrt(0.09 / kRows));
  EXPECT_TRUE(at::equal(draw, many.sample(7)));
  EXPECT_FALSE(at::equal(draw, many.sample(8)));
}

TEST(DistributionTest, ScoresHaveNoQuantilesAndNoDensity) {
  Distribution scores = two();
  scores.family = Family::kScores;
  EXPECT_THROW(scores.quantile(0.5), InvalidInput);
  EXPECT_THROW(scores.log_prob(scores.mean()), InvalidInput);
}

TEST(TrainingLibraryTest, TrainsWhatTheCatalogueListsAndNothingElse) {
  std::vector<std::string> listed;
  for (const auto& learner : learners()) listed.push_back(learner.name);
  EXPECT_EQ(fewshop_training_library.abi, TrainingLibrary::kAbi);
  EXPECT_EQ(fewshop_training_library.learner_names(), listed);
}

}  // namespace
}  // namespace fewshop::learning
