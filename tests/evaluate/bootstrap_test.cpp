#include "evaluate/bootstrap.h"

#include <cmath>
#include <numeric>

#include "core/random.h"

namespace fewshop {
namespace {

TEST(BootstrapTest, EveryResampleDrawsAsManyUnitsAsThereAre) {
  std::vector<double> counts(37), again(37), other(37);
  draw_counts({.seed = 4}, 11, counts);
  draw_counts({.seed = 4}, 11, again);
  draw_counts({.seed = 4}, 12, other);
  EXPECT_EQ(std::accumulate(counts.begin(), counts.end(), 0.0), 37);
  EXPECT_EQ(counts, again);
  EXPECT_NE(counts, other);
}

TEST(BootstrapTest, SumsAreThoseOfTheDrawnUnitsWhateverTheNumberOfThreads) {
  const std::vector<double> statistics{1, 10, 2, 20, 3, 30, 4, 40, 5, 50};  // [5 units, 2]
  const BootstrapOptions one{.resamples = 100, .seed = 3, .threads = 1},
      three{.resamples = 100, .seed = 3, .threads = 3};
  const auto sums = resample_sums(statistics, 5, 2, one);
  EXPECT_EQ(sums, resample_sums(statistics, 5, 2, three));
  std::vector<double> counts(5);
  for (int b = 0; b < 100; ++b) {
    draw_counts(one, b, counts);
    double expected = 0;
    for (int u = 0; u < 5; ++u) expected += counts[u] * (u + 1);
    EXPECT_DOUBLE_EQ(sums[b * 2], expected);
    EXPECT_DOUBLE_EQ(sums[b * 2 + 1], 10 * expected);
  }
}

TEST(BootstrapTest, IntervalOfAMeanIsThatOfTheNormalApproximation) {
  // 400 values with standard deviation s: the interval of their mean is about +- 1.96 s / sqrt(400).
  Random random(5);
  std::vector<double> statistics;
  double sum = 0, squares = 0;
  for (int u = 0; u < 400; ++u) {
    const double x = random.normal();
    statistics.insert(statistics.end(), {x, 1});
    sum += x;
    squares += x * x;
  }
  const double mean = sum / 400, deviation = std::sqrt(squares / 400 - mean * mean);
  const auto sums = resample_sums(statistics, 400, 2, {.resamples = 4000});
  std::vector<double> means;
  for (int b = 0; b < 4000; ++b) means.push_back(sums[b * 2] / sums[b * 2 + 1]);
  const Interval interval = percentile_interval(mean, means, 400);
  EXPECT_NEAR(interval.low, mean - 1.96 * deviation / 20, 0.01);
  EXPECT_NEAR(interval.high, mean + 1.96 * deviation / 20, 0.01);
}

TEST(BootstrapTest, OneUnitHasNoInterval) {
  const Interval interval = percentile_interval(3, {3, 3, 3}, 1);
  EXPECT_EQ(interval.value, 3);
  EXPECT_TRUE(std::isnan(interval.low));
  EXPECT_TRUE(std::isnan(interval.high));
}

TEST(BootstrapTest, PercentilesAreInterpolated) {
  std::vector<double> values(101);
  std::iota(values.begin(), values.end(), 0.0);
  const Interval interval = percentile_interval(50, values, 10);
  EXPECT_NEAR(interval.low, 2.5, 1e-12);
  EXPECT_NEAR(interval.high, 97.5, 1e-12);
}

TEST(WeightedAucTest, CountsPairsByWeightAndEqualScoresHalf) {
  const std::vector<float> score{1, 2, 2, 3};
  const std::vector<uint8_t> positive{0, 1, 0, 1};
  const std::vector<int32_t> unit{0, 0, 1, 1};
  const WeightedAuc auc(score, positive, unit);
  const std::vector<double> ones{1, 1}, heavy{3, 1};
  EXPECT_NEAR(auc.value(ones), (1 + 0.5 + 1 + 1) / 4, 1e-12);
  // Weights 3, 3, 1, 1: pairs 3*3*1 + 3*1*0.5 + 1*3*1 + 1*1*1 of (3 + 1) * (3 + 1).
  EXPECT_NEAR(auc.value(heavy), (9 + 1.5 + 3 + 1) / 16, 1e-12);
  EXPECT_TRUE(std::isnan(WeightedAuc(score, std::vector<uint8_t>(4, 1), unit).value(ones)));
}

TEST(WeightedAucTest, WeightsActLikeCopiesOfTheRows) {
  Random random(8);
  std::vector<float> score, copied_score;
  std::vector<uint8_t> positive, copied_positive;
  std::vector<int32_t> unit, copied_unit;
  std::vector<double> weights;
  for (int u = 0; u < 20; ++u) {
    weights.push_back(static_cast<double>(random.below(4)));
    for (int i = 0; i < 5; ++i) {
      score.push_back(static_cast<float>(random.below(7)));
      positive.push_back(static_cast<uint8_t>(random.below(2)));
      unit.push_back(u);
      for (int copy = 0; copy < weights.back(); ++copy) {
        copied_score.push_back(score.back());
        copied_positive.push_back(positive.back());
        copied_unit.push_back(0);
      }
    }
  }
  EXPECT_NEAR(WeightedAuc(score, positive, unit).value(weights),
              WeightedAuc(copied_score, copied_positive, copied_unit).value(std::vector<double>{1}), 1e-12);
}

}  // namespace
}  // namespace fewshop
