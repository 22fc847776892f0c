#include "learner/baseline/als.h"

#include <gtest/gtest.h>

#include <Eigen/Dense>
#include <cmath>

#include "learner/baseline/content_fit.h"
#include "learner/baseline/synthetic.h"
#include "runtime/als_member.h"

namespace fewshop {
namespace {

using testing::fit_one;
using testing::scores;
using testing::synthetic;

TEST(RatingAlsTest, LearnsTasteThatBiasesCannotExpress) {
  const auto s = synthetic(Problem::kRating, 300, 30);
  const auto member = fit_one("als", s.input(), {{"factors", 2}, {"ridge", 2}});
  // A user who likes odd items.
  std::vector<SupportRow> support;
  for (int i = 0; i < 10; ++i) support.push_back({i, i % 2 ? 4.0f : 2.0f});
  const auto score = scores(*member, support, 30);
  const auto plain = scores(*member, {}, 30);
  for (int i = 10; i < 30; ++i) EXPECT_GT((score[i] - plain[i]) * (i % 2 ? 1 : -1), 0.5) << i;
}

TEST(RatingAlsTest, AnUnseenItemIsScoredByItsFeatures) {
  auto s = synthetic(Problem::kRating, 300, 30);
  s.hidden[28] = s.hidden[29] = 1;
  const auto member = fit_one("als", s.input(), {{"factors", 2}, {"ridge", 2}, {"content_ridge", 0.1}});
  std::vector<SupportRow> support;
  for (int i = 0; i < 10; ++i) support.push_back({i, i % 2 ? 4.0f : 2.0f});
  const auto score = scores(*member, support, 30);
  EXPECT_GT(score[29], score[28] + 1);
}

TEST(RatingAlsTest, StatedVarianceIsThatOfTheNoise) {
  const auto s = synthetic(Problem::kRating, 1000, 30, 0.5);
  const auto member = fit_one("als", s.input(), {{"factors", 2}, {"ridge", 1}});
  EXPECT_NEAR(static_cast<const AlsMember&>(*member).parts().noise, 0.25, 0.05);
}

TEST(RatingAlsTest, MoreSupportMeansLessVariance) {
  const auto s = synthetic(Problem::kRating);
  const auto member = fit_one("als", s.input());
  const auto workspace = member->workspace();
  std::vector<SupportRow> support;
  float last = INFINITY;
  for (int i = 0; i < 20; ++i) {
    member->adapt({support, {}}, *workspace);
    const int32_t item = 3;
    float score = 0, variance = 0;
    member->score(*workspace, {&item, 1}, {&score, 1}, {&variance, 1});
    EXPECT_LE(variance, last);
    last = variance;
    support.push_back({i, 3});
  }
}

TEST(ImplicitAlsTest, RanksItemsOfTheSameKindFirst) {
  const auto s = synthetic(Problem::kRanking, 300, 30);
  const auto member = fit_one("als", s.input(), {{"factors", 4}, {"ridge", 1}});
  const auto score = scores(*member, {{1, 1}, {3, 1}}, 30);
  double odd = 0, even = 0;
  for (int i = 4; i < 30; ++i) (i % 2 ? odd : even) += score[i] / 13;
  EXPECT_GT(odd, even + 0.1);
}

TEST(ImplicitAlsTest, ConvergesToAFixedPointOfFoldingIn) {
  // At convergence a training user's factors are what folding in the training rows gives; so the loss over users, each
  // folded in, can only have gone down.
  const auto s = synthetic(Problem::kRanking, 100, 20);
  const auto loss = [&](int sweeps) {
    const auto member = fit_one("als", s.input(), {{"factors", 4}, {"ridge", 1}, {"sweeps", sweeps}});
    double total = 0;
    for (const auto& task : s.train) {
      const auto support = testing::support_of(s.data, task.rows);
      const auto score = scores(*member, support, 20);
      std::vector<double> evidence(20, 0.0);
      for (const auto& row : support) evidence[row.item] += 1;
      for (int i = 0; i < 20; ++i) {
        const double error = (evidence[i] > 0) - score[i];
        total += (1 + 10 * evidence[i]) * error * error;
      }
    }
    return total;
  };
  const double few = loss(1), many = loss(30);
  EXPECT_LT(many, few);
  EXPECT_NEAR(loss(60), many, 0.02 * many);
}

TEST(ContentFitTest, IsRidgeRegression) {
  const auto s = synthetic(Problem::kRating, 10, 12);
  const int items = 12, outputs = 2;
  std::vector<float> targets(items * outputs), weights(items);
  Random random(4);
  for (auto& value : targets) value = static_cast<float>(random.normal());
  for (auto& value : weights) value = static_cast<float>(random.uniform());
  weights[5] = 0;
  const ContentMap map = fit_content(s.data.item_features, targets, outputs, weights, 0.7);
  // The genre column has two entries: x = (even, odd, 1).
  Eigen::MatrixXd x = Eigen::MatrixXd::Zero(items, 3), y(items, outputs);
  Eigen::VectorXd w(items);
  for (int i = 0; i < items; ++i) {
    x(i, i % 2) = x(i, 2) = 1;
    w[i] = weights[i];
    for (int o = 0; o < outputs; ++o) y(i, o) = targets[i * outputs + o];
  }
  Eigen::Vector3d penalty(0.7, 0.7, 1e-6);
  const Eigen::MatrixXd solution = (x.transpose() * w.asDiagonal() * x + Eigen::MatrixXd(penalty.asDiagonal()))
                                       .ldlt()
                                       .solve(x.transpose() * w.asDiagonal() * y);
  const auto fitted = apply_content(map, s.data.item_features, items);
  for (int i = 0; i < items; ++i)
    for (int o = 0; o < outputs; ++o) EXPECT_NEAR(fitted[i * outputs + o], (x.row(i) * solution)(o), 1e-3);
}

TEST(ContentFitTest, WithoutFeaturesIsTheWeightedMean) {
  const std::vector<float> targets{1, 2, 6}, weights{1, 1, 2};
  const ContentMap map = fit_content({}, targets, 1, weights, 1);
  EXPECT_NEAR(map.intercept[0], (1 + 2 + 2 * 6) / 4.0, 1e-4);
}

}  // namespace
}  // namespace fewshop
