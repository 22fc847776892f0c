#include "learner/row_weights.h"

#include <gtest/gtest.h>

#include <numeric>

#include "core/random.h"

namespace fewshop {
namespace {

/// Yes or no at two support sizes: member 0 knows the truth at size 10, member 1 at size 0; else they say one half.
std::vector<RowSample> samples(int count) {
  Random random(3);
  std::vector<RowSample> all;
  for (int i = 0; i < count; ++i) {
    RowSample s;
    s.task = i;
    s.support = i % 2 ? 10 : 0;
    for (int r = 0; r < 5; ++r) s.target.push_back(static_cast<float>(random.uniform() < 0.5));
    for (int m = 0; m < 2; ++m)
      for (const float target : s.target) {
        const bool knows = m == (s.support == 0);
        s.answer.push_back(Predictive::bernoulli(knows ? (target > 0.5F ? 0.9 : 0.1) : 0.5));
      }
    all.push_back(std::move(s));
  }
  return all;
}

TEST(RowMixFitTest, WeighsTheMemberThatKnowsMoreAtEachSize) {
  const auto all = samples(400);
  const RowMix mix = fit_row_mix(all, {0, 1}, 0, false, 1);
  std::vector<double> w(2);
  mix.weights(10, w);
  EXPECT_GT(w[0], 0.9);
  mix.weights(0, w);
  EXPECT_GT(w[1], 0.9);
}

TEST(RowMixFitTest, StaysWithTheFavouriteWhereLittleIsKnown) {
  const RowMix mix = fit_row_mix({}, {0, 1, 2}, 2, false, 1);
  std::vector<double> w(3);
  mix.weights(5, w);
  EXPECT_GT(w[2], 0.7);
  EXPECT_NEAR(std::accumulate(w.begin(), w.end(), 0.0), 1, 1e-12);
}

/// Both members say nothing that is true of other tasks: member 0 one half, member 1 a number drawn for each row.
TEST(RowMixFitTest, HowFirmlyItIsHeldIsToldByOtherTasks) {
  Random random(8);
  const auto noise = [&](int count) {
    std::vector<RowSample> all;
    for (int i = 0; i < count; ++i) {
      RowSample s;
      s.task = i;
      s.support = static_cast<int>(random.below(30));
      s.target = {static_cast<float>(random.uniform() < 0.5)};
      s.answer = {Predictive::bernoulli(0.5), Predictive::bernoulli(0.1 + 0.8 * random.uniform())};
      all.push_back(std::move(s));
    }
    return all;
  };
  // Where the favourite is right, a few tasks by chance against it move little.
  double mean = 0;
  for (int round = 0; round < 20; ++round) {
    const auto few = noise(12);
    std::vector<double> w(2);
    fit_row_mix(few, {0, 1}, 0, false, 1).weights(5, w);
    mean += w[0] / 20;
  }
  EXPECT_GT(mean, 0.75);
  // Where it is wrong, many tasks move everything: see WeighsTheMemberThatKnowsMoreAtEachSize.
}

TEST(RowMixFitTest, IsNoWorseThanEitherMember) {
  const auto all = samples(200);
  const RowMix mix = fit_row_mix(all, {0, 1}, 0, false, 1);
  double pooled = 0, single[2] = {};
  std::vector<double> w(2);
  Predictive out;
  for (const auto& s : all)
    for (size_t r = 0; r < s.target.size(); ++r) {
      mix.weights(s.support, w);
      const std::vector<Predictive> each{s.answer[r], s.answer[s.target.size() + r]};
      pool(each, w, out);
      pooled += log_prob(out, s.target[r]);
      for (int m = 0; m < 2; ++m) single[m] += log_prob(each[m], s.target[r]);
    }
  EXPECT_GT(pooled, single[0]);
  EXPECT_GT(pooled, single[1]);
}

}  // namespace
}  // namespace fewshop
