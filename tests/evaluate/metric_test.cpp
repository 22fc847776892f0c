#include "evaluate/metric.h"

#include <rapidcheck/gtest.h>

#include <cmath>

#include "core/error.h"

namespace fewshop {
namespace {

using testing::HasSubstr;

double rated(const std::string& name, std::vector<float> target, std::vector<float> score, float positive_above = 3) {
  const Metric metric = parse_metric(name, Problem::kRating);
  return metric_value(metric, rated_part(metric, RatedList(target, score, positive_above, 7)));
}

double ranked(const std::string& name, std::vector<int32_t> ranks, int32_t candidates) {
  const Metric metric = parse_metric(name, Problem::kRanking);
  return metric_value(metric, ranked_part(metric, ranks, candidates));
}

double log2(double x) { return std::log2(x); }

TEST(MetricTest, ErrorsAreMeansOverRows) {
  EXPECT_NEAR(rated("mae", {4, 2, 5}, {3.5, 2, 3}), (0.5 + 0 + 2) / 3, 1e-9);
  EXPECT_NEAR(rated("rmse", {4, 2, 5}, {3.5, 2, 3}), std::sqrt((0.25 + 0 + 4) / 3), 1e-9);
}

TEST(MetricTest, RmseOfSeveralTasksIsTheRootOverAllRows) {
  const Metric metric = parse_metric("rmse", Problem::kRating);
  const std::vector<float> target_a{1}, score_a{3}, target_b{2, 2, 2}, score_b{2, 2, 3};
  const Part a = rated_part(metric, RatedList(target_a, score_a, 3, 1));
  const Part b = rated_part(metric, RatedList(target_b, score_b, 3, 1));
  EXPECT_NEAR(metric_value(metric, {a.numerator + b.numerator, a.denominator + b.denominator}),
              std::sqrt((4 + 0 + 0 + 1) / 4.0), 1e-9);
}

TEST(MetricTest, NdcgGainsAreExponentialOrLinear) {
  // Predicted order of targets: 2, 5, 1, 4; ideal: 5, 4, 2, 1.
  const std::vector<float> target{5, 4, 2, 1}, score{0.8, 0.2, 0.9, 0.5};
  EXPECT_NEAR(rated("ndcg@3", target, score),
              (3 / log2(2) + 31 / log2(3) + 1 / log2(4)) / (31 / log2(2) + 15 / log2(3) + 3 / log2(4)), 1e-9);
  EXPECT_NEAR(rated("ndcg-linear@3", target, score),
              (2 / log2(2) + 5 / log2(3) + 1 / log2(4)) / (5 / log2(2) + 4 / log2(3) + 2 / log2(4)), 1e-9);
  EXPECT_NEAR(rated("ndcg@1", target, score), 3.0 / 31, 1e-9);
}

TEST(MetricTest, NdcgIsNotDefinedWhereNothingGains) { EXPECT_TRUE(std::isnan(rated("ndcg@3", {0, 0, 0}, {1, 2, 3}))); }

TEST(MetricTest, HitsOfRatingsAreThoseAboveTheThreshold) {
  // Positives are the rows rated 5, 4 and 4; the predicted order is no, yes, no, yes, yes.
  const std::vector<float> target{3, 5, 2, 4, 4}, score{9, 8, 7, 6, 5};
  EXPECT_NEAR(rated("precision@4", target, score), 2.0 / 4, 1e-9);
  EXPECT_NEAR(rated("recall@4", target, score), 2.0 / 3, 1e-9);
  EXPECT_NEAR(rated("hit@1", target, score), 0, 1e-9);
  EXPECT_NEAR(rated("hit@2", target, score), 1, 1e-9);
  EXPECT_NEAR(rated("mrr@4", target, score), 1.0 / 2, 1e-9);
  EXPECT_NEAR(rated("mrr@1", target, score), 0, 1e-9);
  EXPECT_NEAR(rated("map@4", target, score), (1.0 / 2 + 2.0 / 4) / 3, 1e-9);
  EXPECT_NEAR(rated("map@2", target, score), (1.0 / 2) / 2, 1e-9);
  // Pairs (positive, negative): 5 beats 2; 4 and 4 beat nothing.
  EXPECT_NEAR(rated("gauc", target, score), 1.0 / 6, 1e-9);
}

TEST(MetricTest, TaskWithoutPositivesIsLeftOut) {
  for (const char* name : {"precision@2", "recall@2", "hit@2", "mrr@2", "map@2", "gauc"})
    EXPECT_TRUE(std::isnan(rated(name, {1, 2, 3}, {1, 2, 3}))) << name;
}

TEST(MetricTest, ListShorterThanKCountsAsWhole) {
  EXPECT_NEAR(rated("precision@10", {5, 1}, {2, 1}), 1.0 / 2, 1e-9);
  EXPECT_NEAR(rated("precision-tanp@10", {5, 1}, {1, 2}), 1, 1e-9);
}

TEST(MetricTest, TanpUsesEachOfTheLargestRatingsOnce) {
  // Top 3 true ratings: 5, 4, 4. Predicted order of ratings: 4, 3, 4, 4, 5.
  const std::vector<float> target{4, 3, 4, 4, 5}, score{9, 8, 7, 6, 5};
  EXPECT_NEAR(rated("precision-tanp@3", target, score), 2.0 / 3, 1e-9);
  EXPECT_NEAR(rated("map-tanp@3", target, score), (1.0 / 1 + 2.0 / 3) / 3, 1e-9);
  // Top 4: 5, 4, 4, 4; the first four predicted hold three of the 4s.
  EXPECT_NEAR(rated("precision-tanp@4", target, score), 3.0 / 4, 1e-9);
  // Top 1 is the 5; the 4 in front is no hit.
  EXPECT_NEAR(rated("precision-tanp@1", target, score), 0, 1e-9);
}

TEST(MetricTest, TopMetricsTakeTheHighestRatedRowsAsPositives) {
  // Positives at k = 2: the rows rated 5 and 4; predicted order of ratings: 1, 5, 3, 4.
  const std::vector<float> target{1, 5, 3, 4}, score{9, 8, 7, 6};
  EXPECT_NEAR(rated("precision-top@2", target, score), 1.0 / 2, 1e-9);
  EXPECT_NEAR(rated("mrr-top@2", target, score), 1.0 / 2, 1e-9);
  EXPECT_NEAR(rated("ndcg-top@2", target, score), (1 / log2(3)) / (1 / log2(2) + 1 / log2(3)), 1e-9);
}

TEST(MetricTest, ConstantScoresGiveWhatChanceGives) {
  // Ten tied targets, constant scores: one draw for both orders would give a precision of 1.
  const Metric metric = parse_metric("precision-top@5", Problem::kRating);
  const std::vector<float> target(10, 4), score(10, 0.5);
  Part sum;
  for (uint64_t seed = 0; seed < 4000; ++seed) {
    const Part part = rated_part(metric, RatedList(target, score, 3, seed));
    sum.numerator += part.numerator;
    sum.denominator += part.denominator;
  }
  EXPECT_NEAR(metric_value(metric, sum), 0.5, 0.01);
}

TEST(MetricTest, GaucCountsEqualScoresHalf) {
  EXPECT_NEAR(rated("gauc", {5, 1, 5, 1}, {1, 1, 2, 0}), (0.5 + 1 + 1 + 1) / 4, 1e-9);
}

TEST(MetricTest, RanksGiveTheMetricsOfTopN) {
  // Query items at positions 1, 4 and 11 of 20 candidates.
  const std::vector<int32_t> ranks{0, 3, 10};
  EXPECT_NEAR(ranked("precision@5", ranks, 20), 2.0 / 5, 1e-9);
  EXPECT_NEAR(ranked("recall@5", ranks, 20), 2.0 / 3, 1e-9);
  EXPECT_NEAR(ranked("hit@5", ranks, 20), 1, 1e-9);
  EXPECT_NEAR(ranked("mrr@5", {3, 10}, 20), 1.0 / 4, 1e-9);
  EXPECT_NEAR(ranked("mrr@3", {3, 10}, 20), 0, 1e-9);
  EXPECT_NEAR(ranked("map@5", ranks, 20), (1.0 + 2.0 / 4) / 3, 1e-9);
  EXPECT_NEAR(ranked("map@2", ranks, 20), 1.0 / 2, 1e-9);
  EXPECT_NEAR(ranked("ndcg@5", ranks, 20), (1 + 1 / log2(5)) / (1 + 1 / log2(3) + 1 / log2(4)), 1e-9);
  EXPECT_NEAR(ranked("ndcg@2", ranks, 20), 1 / (1 + 1 / log2(3)), 1e-9);
  // 17 other candidates: above the second query item stand 2 of them, above the third 8.
  EXPECT_NEAR(ranked("auc", ranks, 20), (17 + 15 + 9) / 51.0, 1e-9);
  EXPECT_NEAR(ranked("gauc", ranks, 20), (17 + 15 + 9) / 51.0, 1e-9);
}

TEST(MetricTest, UnknownNamesListTheKnownOnes) {
  const auto message = [](const std::string& name, Problem problem) {
    try {
      parse_metric(name, problem);
    } catch (const InvalidInput& e) {
      return std::string(e.what());
    }
    return std::string("accepted");
  };
  EXPECT_THAT(message("maee", Problem::kRating),
              testing::AllOf(HasSubstr("'maee'"), HasSubstr("rmse"), HasSubstr("ndcg@k")));
  EXPECT_THAT(message("ndcg", Problem::kRating), HasSubstr("unknown metric"));
  EXPECT_THAT(message("mae@5", Problem::kRating), HasSubstr("unknown metric"));
  EXPECT_THAT(message("ndcg@0", Problem::kRating), HasSubstr("whole number"));
  EXPECT_THAT(message("ndcg@1x", Problem::kRating), HasSubstr("whole number"));
  EXPECT_THAT(message("rmse", Problem::kRanking), testing::AllOf(HasSubstr("ranking"), HasSubstr("recall@k")));
  EXPECT_THAT(message("precision-top@5", Problem::kRanking), HasSubstr("ranking"));
}

TEST(MetricTest, OnlyErrorsAreBetterWhenLower) {
  EXPECT_TRUE(parse_metric("mae", Problem::kRating).lower_is_better());
  EXPECT_TRUE(parse_metric("rmse", Problem::kRating).lower_is_better());
  EXPECT_FALSE(parse_metric("ndcg@3", Problem::kRating).lower_is_better());
  EXPECT_FALSE(parse_metric("auc", Problem::kRanking).lower_is_better());
}

RC_GTEST_PROP(MetricProperty, APerfectOrderIsWorthOne, ()) {
  const auto rows = *rc::gen::inRange(1, 30);
  const auto ratings = *rc::gen::container<std::vector<int>>(rows, rc::gen::inRange(1, 6));
  const std::vector<float> target(ratings.begin(), ratings.end());
  const auto k = std::to_string(*rc::gen::inRange(1, 12));
  for (const char* name : {"ndcg@", "ndcg-linear@", "precision-tanp@", "map-tanp@"})
    RC_ASSERT(std::abs(rated(name + k, target, target) - 1) < 1e-9);
}

RC_GTEST_PROP(MetricProperty, RankedAndRatedFormsAgreeOnBinaryTargets, ()) {
  auto bits = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 2));
  bits.insert(bits.begin() + *rc::gen::inRange<int>(0, static_cast<int>(bits.size()) + 1), 1);
  bits.insert(bits.begin() + *rc::gen::inRange<int>(0, static_cast<int>(bits.size()) + 1), 0);
  const int rows = static_cast<int>(bits.size());
  const int k = *rc::gen::inRange(1, rows + 1);
  std::vector<float> target(bits.begin(), bits.end()), score;
  std::vector<int32_t> ranks;
  for (int i = 0; i < rows; ++i) {
    score.push_back(static_cast<float>(-i));
    if (bits[i]) ranks.push_back(i);
  }
  for (const char* name : {"ndcg@", "precision@", "recall@", "hit@", "mrr@", "map@"})
    RC_ASSERT(std::abs(rated(name + std::to_string(k), target, score, 0.5f) -
                       ranked(name + std::to_string(k), ranks, rows)) < 1e-9);
  RC_ASSERT(std::abs(rated("gauc", target, score, 0.5f) - ranked("gauc", ranks, rows)) < 1e-9);
}

}  // namespace
}  // namespace fewshop
