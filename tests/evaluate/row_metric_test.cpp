#include "evaluate/row_metric.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"

namespace fewshop {
namespace {

using ::testing::HasSubstr;

Predictive classes(Family family, std::vector<double> probability) { return {family, 0, 0, 0, std::move(probability)}; }

double value(const std::string& name, Problem problem, const std::vector<float>& target,
             const std::vector<Predictive>& predicted) {
  const Metric metric = parse_metric(name, problem);
  return metric_value(metric, row_part(metric, target, predicted, 1));
}

TEST(RowMetricTest, BinaryMetricsAreWorkedOutByHand) {
  const std::vector<float> target{1, 0, 1, 0};
  const std::vector<Predictive> p{Predictive::bernoulli(0.9), Predictive::bernoulli(0.6), Predictive::bernoulli(0.4),
                                  Predictive::bernoulli(0.2)};
  EXPECT_DOUBLE_EQ(value("accuracy", Problem::kBinary, target, p), 0.5);
  EXPECT_NEAR(value("log-loss", Problem::kBinary, target, p),
              -(std::log(0.9) + std::log(0.4) + std::log(0.4) + std::log(0.8)) / 4, 1e-12);
  EXPECT_NEAR(value("brier", Problem::kBinary, target, p), (0.01 + 0.36 + 0.36 + 0.04) / 4, 1e-12);
  EXPECT_DOUBLE_EQ(value("f1", Problem::kBinary, target, p), 2.0 / (2 + 1 + 1));
  EXPECT_DOUBLE_EQ(value("gauc", Problem::kBinary, target, p), 3.0 / 4);
}

TEST(RowMetricTest, ClassMetricsAreWorkedOutByHand) {
  const std::vector<float> target{0, 2};
  const std::vector<Predictive> p{classes(Family::kOrdinal, {0.5, 0.3, 0.2}),
                                  classes(Family::kOrdinal, {0.1, 0.6, 0.3})};
  EXPECT_DOUBLE_EQ(value("accuracy", Problem::kOrdinal, target, p), 0.5);
  EXPECT_NEAR(value("log-loss", Problem::kOrdinal, target, p), -(std::log(0.5) + std::log(0.3)) / 2, 1e-12);
  EXPECT_NEAR(value("brier", Problem::kOrdinal, target, p), (0.25 + 0.09 + 0.04 + 0.01 + 0.36 + 0.49) / 2, 1e-12);
  // Distributions up to class 0 and 1: (0.5 - 1)^2 + (0.8 - 1)^2, and 0.1^2 + 0.7^2; over 2 steps.
  EXPECT_NEAR(value("rps", Problem::kOrdinal, target, p), ((0.25 + 0.04) / 2 + (0.01 + 0.49) / 2) / 2, 1e-12);
  EXPECT_DOUBLE_EQ(value("mae", Problem::kOrdinal, target, p), (0 + 1) / 2.0) << "medians are classes 0 and 1";
  EXPECT_NEAR(value("rmse", Problem::kOrdinal, target, p), std::sqrt((0.7 * 0.7 + 0.8 * 0.8) / 2), 1e-12);
}

TEST(RowMetricTest, NumbersAndCountsAreWorkedOutByHand) {
  const std::vector<Predictive> numbers{Predictive::gaussian(1, 1), Predictive::gaussian(4, 1)};
  EXPECT_DOUBLE_EQ(value("mae", Problem::kRegression, {3, 4}, numbers), 1);
  EXPECT_DOUBLE_EQ(value("rmse", Problem::kRegression, {3, 4}, numbers), std::sqrt(2.0));
  const std::vector<Predictive> counts{Predictive::poisson(2), Predictive::poisson(0.5)};
  EXPECT_NEAR(value("poisson-deviance", Problem::kCount, {4, 0}, counts), (2 * (4 * std::log(2.0) - 2) + 2 * 0.5) / 2,
              1e-12);
  EXPECT_DOUBLE_EQ(value("mae", Problem::kCount, {4, 0}, counts), (2 + 0) / 2.0) << "medians are 2 and 0";
}

TEST(RowMetricTest, RootAndF1WeighTasksByTheirRows) {
  const Metric rmse = parse_metric("rmse", Problem::kRegression), mae = parse_metric("mae", Problem::kRegression);
  const std::vector<Predictive> p(3, Predictive::gaussian(0, 1));
  EXPECT_EQ(row_part(rmse, std::vector<float>{1, 1, 1}, p, 1).denominator, 3);
  EXPECT_EQ(row_part(mae, std::vector<float>{1, 1, 1}, p, 1).denominator, 1);
  EXPECT_EQ(row_part(mae, {}, {}, 1).denominator, 0);
}

TEST(RowMetricTest, MetricsThatDoNotFitAreRefusedWithThoseThatDo) {
  const auto refusal = [](const std::string& name, Problem problem) {
    try {
      parse_metric(name, problem);
    } catch (const InvalidInput& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  EXPECT_THAT(refusal("ndcg@5", Problem::kBinary), HasSubstr("does not fit a binary problem; metrics that fit: auc"));
  EXPECT_THAT(refusal("rps", Problem::kMulticlass), HasSubstr("metrics that fit: log-loss, accuracy, brier"));
  EXPECT_THAT(refusal("f1", Problem::kRating), HasSubstr("metrics that fit: mae, rmse"));
  EXPECT_THAT(refusal("mae", Problem::kRanking), HasSubstr("which predicts no values"));
}

}  // namespace
}  // namespace fewshop
