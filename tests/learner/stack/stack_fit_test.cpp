#include "learner/stack/stack_fit.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/random.h"
#include "learner/stack/ranking_fit.h"

namespace fewshop {
namespace {

/// Rating samples with two members: the learner is right about large supports, the baseline about small ones.
std::vector<Sample> rating_samples(int count, uint64_t seed) {
  std::vector<Sample> samples;
  Random random(seed);
  for (int t = 0; t < count; ++t) {
    Sample s;
    s.task = t;
    s.support = t % 3 == 0 ? 0 : t % 3 == 1 ? 3 : 60;
    const double trust = s.support / (s.support + 3.0);  // of the learner
    for (int q = 0; q < 10; ++q) {
      const double learner = random.normal(), baseline = random.normal();
      s.cell.push_back(4);
      s.target.push_back(static_cast<float>(3 + trust * learner + (1 - trust) * baseline + 0.1 * random.normal()));
      s.score.push_back(static_cast<float>(3 + baseline));
      s.variance.push_back(1);
      s.log_weight.push_back(static_cast<float>(3 + learner));
    }
    s.score.insert(s.score.end(), s.log_weight.begin(), s.log_weight.end());
    s.log_weight.clear();
    samples.push_back(std::move(s));
  }
  return samples;
}

TEST(StackFitTest, PredictionWeightsFollowTheSupportSize) {
  const Stack stack = fit_rating_stack(rating_samples(3000, 1), 2, 1, parse_metric("rmse", Problem::kRating));
  std::vector<double> w(3);
  for (const int k : {0, 3, 60}) {
    stack.weights(k, 4, w);
    const double trust = k / (k + 3.0);
    EXPECT_NEAR(w[1], trust, 0.03) << k;
    EXPECT_NEAR(w[0], 1 - trust, 0.03) << k;
    EXPECT_NEAR(w[2], 0, 0.1) << k;
  }
}

TEST(StackFitTest, TheVarianceIsCalibrated) {
  const Stack stack = fit_rating_stack(rating_samples(3000, 2), 2, 1, parse_metric("rmse", Problem::kRating));
  // Noise of deviation 0.1 where the learner stated variance 1.
  for (const int k : {0, 3, 60}) EXPECT_NEAR(std::sqrt(stack.variance(k, 4)), 0.1, 0.01) << k;
}

TEST(StackFitTest, WithoutSamplesTheLearnerStandsAlone) {
  const Stack stack = fit_rating_stack({}, 3, 2, parse_metric("mae", Problem::kRating));
  std::vector<double> w(4);
  for (int cell = 0; cell < kItemCells; ++cell) {
    stack.weights(5, cell, w);
    EXPECT_EQ(w, (std::vector<double>{0, 0, 1, 0})) << cell;
  }
}

TEST(StackFitTest, RankWeightsFindTheMemberThatKnows) {
  std::vector<Sample> samples;
  Random random(3);
  for (int t = 0; t < 600; ++t) {
    Sample s;
    s.task = t;
    s.support = t % 2 ? 0 : 40;
    const int n = 40;
    std::vector<float> first(n), second(n);
    for (int i = 0; i < n; ++i) {
      s.cell.push_back(3);
      s.log_weight.push_back(0);
      first[i] = static_cast<float>(random.normal());
      second[i] = static_cast<float>(100 * random.normal());
    }
    // The item bought is drawn from the first member's softmax without support, from the second's with it.
    int best = 0;
    double top = -1e9;
    for (int i = 0; i < n; ++i) {
      const double u = (s.support ? second[i] / 40 : 2 * first[i]) - std::log(-std::log(random.uniform() + 1e-12));
      if (u > top) top = u, best = i;
    }
    s.target.assign(n, 0);
    s.target[best] = 1;
    s.score = first;
    s.score.insert(s.score.end(), second.begin(), second.end());
    samples.push_back(std::move(s));
  }
  RankingWeights weights(samples, 2);
  fit_softmax(samples, 0, 2, weights);
  const Stack stack = weights.to_stack();
  std::vector<double> none(3), many(3);
  stack.weights(0, 3, none);
  stack.weights(40, 3, many);
  EXPECT_NEAR(none[0], 2, 0.6);
  EXPECT_NEAR(none[1] * 40, 0, 0.3);
  EXPECT_NEAR(many[1] * 40, 1, 0.4);
  EXPECT_LT(std::abs(many[0]), 0.6);
}

/// What a stack ranks first among a sample's candidates.
size_t first_of(const Stack& stack, const Sample& s) {
  std::vector<float> mixed(s.cell.size());
  mix(stack, s, mixed);
  return std::max_element(mixed.begin(), mixed.end()) - mixed.begin();
}

TEST(StackFitTest, TheMetricRulesOverTheSoftmaxLoss) {
  // Two members point at the query item in half of the samples each, never both; where the first is wrong it is so by
  // far, which a likelihood punishes and a hit rate does not. A third one is noise.
  std::vector<Sample> samples;
  Random random(11);
  for (int t = 0; t < 900; ++t) {
    Sample s;
    s.task = t;
    s.support = 2;
    const int n = 30;
    s.target.assign(n, 0);
    s.target[0] = 1;
    s.cell.assign(n, 2);
    s.log_weight.assign(n, 0);
    std::vector<float> first(n), second(n), third(n);
    for (auto* scores : {&first, &second, &third})
      for (auto& score : *scores) score = static_cast<float>(0.1 * random.normal());
    if (t % 3 != 0) {
      first[0] = 1;
    } else {
      first[1] = 6;
      second[0] = 0.4F;
    }
    s.score = first;
    s.score.insert(s.score.end(), second.begin(), second.end());
    s.score.insert(s.score.end(), third.begin(), third.end());
    samples.push_back(std::move(s));
  }
  const auto hits = [&](const Stack& stack) {
    return std::count_if(samples.begin(), samples.end(), [&](const Sample& s) { return first_of(stack, s) == 0; });
  };
  RankingWeights softmax(samples, 3);
  fit_softmax(samples, 2, 2, softmax);
  const Stack fitted = fit_ranking_stack(samples, 3, 2, parse_metric("hit@1", Problem::kRanking), 2);
  EXPECT_GE(hits(fitted), 600);
  EXPECT_GE(hits(fitted), hits(softmax.to_stack()));
}

TEST(StackFitTest, AscendingTheMetricNeverLosesToTheBestMember) {
  std::vector<Sample> samples;
  Random random(12);
  for (int t = 0; t < 300; ++t) {
    Sample s;
    s.task = t;
    s.support = t % 5;
    const int n = 50;
    s.target.assign(n, 0);
    s.target[t % n] = 1;
    s.cell.assign(n, 3);
    s.log_weight.assign(n, 0);
    for (int m = 0; m < 3; ++m)
      for (int i = 0; i < n; ++i)
        s.score.push_back(static_cast<float>(random.normal() + (m == 1 && i == t % n ? 2.0 : 0.0)));
    samples.push_back(std::move(s));
  }
  const Metric metric = parse_metric("mrr@10", Problem::kRanking);
  const auto value = [&](const RankingWeights& weights) {
    const Stack stack = weights.to_stack();
    double sum = 0;
    for (const Sample& s : samples) {
      std::vector<float> mixed(s.cell.size());
      mix(stack, s, mixed);
      const auto above = static_cast<int32_t>(
          std::count_if(mixed.begin(), mixed.end(), [&](float other) { return other > mixed[s.task % 50]; }));
      sum += ranked_part(metric, std::vector<int32_t>{above}, 50).numerator;
    }
    return sum;
  };
  RankingWeights alone(samples, 3), climbed(samples, 3);
  alone.set_alone(1);
  climbed.set_alone(0);
  ascend_metric(samples, metric, 2, climbed);
  EXPECT_GE(value(climbed), value(alone) - 1e-6);
}

TEST(StackFitTest, MixingIsTheWeightedSum) {
  Stack stack;
  stack.members = {0, 1};
  stack.coefficient.assign(kItemCells * 3 * Stack::kBasis, 0);
  stack.coefficient[0] = 0.25F;              // cell 0, member 0, constant
  stack.coefficient[Stack::kBasis + 1] = 1;  // cell 0, member 1, k / (k + 3)
  stack.coefficient[2 * Stack::kBasis] = 5;  // cell 0, intercept
  Sample s;
  s.support = 3;
  s.cell = {0};
  s.score = {4, 10};
  std::vector<float> out(1);
  mix(stack, s, out);
  EXPECT_FLOAT_EQ(out[0], 0.25F * 4 + 0.5F * 10 + 5);
}

}  // namespace
}  // namespace fewshop
