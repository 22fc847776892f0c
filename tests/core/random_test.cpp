#include "core/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "core/property.h"

namespace fewshop {
namespace {

std::vector<uint64_t> draws(Random random, int count) {
  std::vector<uint64_t> values(count);
  for (auto& value : values) value = random.next();
  return values;
}

/// Correlation of the uniform numbers of two streams: about N(0, 1 / count) where they are independent.
double correlation(Random a, Random b, int count) {
  double sum = 0;
  for (int i = 0; i < count; ++i) sum += (a.uniform() - 0.5) * (b.uniform() - 0.5) * 12;
  return sum / count;
}

TEST(RandomTest, TheSameSeedRepeatsAndAnotherDoesNot) {
  EXPECT_EQ(draws(Random(3), 20), draws(Random(3), 20));
  EXPECT_NE(draws(Random(3), 1), draws(Random(4), 1));
}

TEST(RandomTest, TheFirstNumbersStayTheSameAcrossReleases) {
  // Splits are drawn from these: a change would move every user to another split.
  EXPECT_EQ(draws(Random(0), 3),
            (std::vector<uint64_t>{12035550249420947055u, 12935080325729570654u, 7141179953334974231u}));
  EXPECT_EQ(Random(0).fork("split").next(), 10188012681547378903u);
}

TEST(RandomTest, ForksAreIndependentOfTheirParentAndOfEachOther) {
  const Random parent(7);
  constexpr int kCount = 20'000;
  const double limit = 5 / std::sqrt(kCount);
  EXPECT_LT(std::abs(correlation(parent, parent.fork("a"), kCount)), limit);
  EXPECT_LT(std::abs(correlation(parent.fork("a"), parent.fork("b"), kCount)), limit);
  for (uint64_t i = 0; i < 5; ++i)
    EXPECT_LT(std::abs(correlation(parent.fork(i), parent.fork(i + 1), kCount)), limit) << i;
  EXPECT_LT(std::abs(correlation(parent.fork("a").fork("b"), parent.fork("b").fork("a"), kCount)), limit);
  EXPECT_LT(std::abs(correlation(Random(1), Random(2), kCount)), limit);
}

TEST(RandomTest, AForkDoesNotDependOnHowMuchWasDrawnBefore) {
  Random drawn(7);
  drawn.next();
  EXPECT_EQ(draws(drawn.fork("a"), 5), draws(Random(7).fork("a"), 5));
}

TEST(RandomTest, BelowStaysBelowItsBound) {
  expect_property("below(bound) < bound", [](uint64_t seed) {
    Random random(seed);
    const auto bound = *rc::gen::arbitrary<uint64_t>();
    RC_PRE(bound > 0);
    for (int i = 0; i < 50; ++i) RC_ASSERT(random.below(bound) < bound);
  });
}

TEST(RandomTest, BelowIsUniform) {
  constexpr int kBound = 7, kCount = 70'000;
  std::vector<int> histogram(kBound);
  Random random(1);
  for (int i = 0; i < kCount; ++i) ++histogram[random.below(kBound)];
  double chi2 = 0;
  for (const int count : histogram) chi2 += std::pow(count - kCount / kBound, 2) / (kCount / kBound);
  EXPECT_LT(chi2, 22.5);  // 99.9 % of chi-squared with 6 degrees of freedom
}

TEST(RandomTest, BetweenTakesBothEnds) {
  Random random(2);
  bool low = false, high = false;
  for (int i = 0; i < 200; ++i) {
    const int64_t value = random.between(-1, 2);
    ASSERT_GE(value, -1);
    ASSERT_LE(value, 2);
    low |= value == -1;
    high |= value == 2;
  }
  EXPECT_TRUE(low && high);
  EXPECT_EQ(random.between(5, 5), 5);
}

TEST(RandomTest, NormalHasMeanZeroAndVarianceOne) {
  Random random(5);
  constexpr int kCount = 100'000;
  double sum = 0, squares = 0;
  for (int i = 0; i < kCount; ++i) {
    const double x = random.normal();
    ASSERT_TRUE(std::isfinite(x));
    sum += x;
    squares += x * x;
  }
  EXPECT_NEAR(sum / kCount, 0, 0.016);  // 5 standard errors
  EXPECT_NEAR(squares / kCount, 1, 0.023);
}

TEST(RandomTest, ShuffleIsAPermutationAndEveryOneComesUp) {
  expect_property("a shuffle keeps the elements", [](std::vector<int> items, uint64_t seed) {
    auto shuffled = items;
    Random(seed).shuffle(shuffled);
    std::sort(items.begin(), items.end());
    std::sort(shuffled.begin(), shuffled.end());
    RC_ASSERT(items == shuffled);
  });
  std::vector<int> seen(6);
  Random random(4);
  for (int i = 0; i < 6'000; ++i) {
    std::vector<int> items{0, 1, 2};
    random.shuffle(items);
    ++seen[items[0] * 2 + (items[1] > items[2])];
  }
  for (const int count : seen) EXPECT_NEAR(count, 1'000, 150);
}

TEST(RandomTest, ARestoredStreamGoesOnWhereItStopped) {
  expect_property("restore(state) continues", [](uint64_t seed) {
    Random random(seed);
    for (int i = *rc::gen::inRange(0, 20); i > 0; --i) random.next();
    RC_ASSERT(draws(Random::restore(random.state()), 10) == draws(random, 10));
  });
}

}  // namespace
}  // namespace fewshop
