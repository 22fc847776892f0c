#include "evaluate/rank.h"

#include <rapidcheck/gtest.h>

#include <algorithm>
#include <limits>
#include <set>

#include "core/error.h"

namespace fewshop {
namespace {

std::vector<int32_t> ranks(const std::vector<float>& score, const std::vector<int32_t>& query,
                           const std::vector<int32_t>& excluded = {}, uint64_t seed = 1) {
  std::vector<int32_t> rank(query.size());
  count_ranks(score, query, excluded, seed, rank);
  return rank;
}

TEST(RankTest, CountsCandidatesAboveWithoutTheExcluded) {
  EXPECT_EQ(ranks({0.1, 0.9, 0.5, 0.7}, {2, 0}), (std::vector<int32_t>{2, 3}));
  EXPECT_EQ(ranks({0.1, 0.9, 0.5, 0.7}, {2, 0}, {1}), (std::vector<int32_t>{1, 2}));
}

TEST(RankTest, EqualScoresStandInOneRandomOrderOfTheItems) {
  const std::vector<float> score(20, 0.5);
  std::vector<int32_t> all(20);
  for (int i = 0; i < 20; ++i) all[i] = i;
  const auto first = ranks(score, all, {}, 1);
  EXPECT_EQ(std::set<int32_t>(first.begin(), first.end()).size(), 20u) << "ranks are a permutation";
  EXPECT_EQ(first, ranks(score, all, {}, 1));
  EXPECT_NE(first, ranks(score, all, {}, 2));
  double mean = 0;
  for (uint64_t seed = 0; seed < 2000; ++seed) mean += ranks(score, {7}, {}, seed)[0] / 2000.0;
  EXPECT_NEAR(mean, 9.5, 0.5);
}

TEST(RankTest, NotANumberIsRefusedForQueryItemsAndLastForOthers) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THROW(ranks({nan, 1}, {0}), Failure);
  EXPECT_EQ(ranks({nan, 1}, {1}), (std::vector<int32_t>{0}));
}

RC_GTEST_PROP(RankProperty, AgreesWithSorting, (uint64_t seed)) {
  const auto values = *rc::gen::nonEmpty(rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 6)));
  const std::vector<float> score(values.begin(), values.end());
  const int items = static_cast<int>(score.size());
  std::vector<int32_t> query, excluded, candidates;
  for (int i = 0; i < items; ++i) {
    const int role = *rc::gen::inRange(0, 3);
    if (role == 0) query.push_back(i);
    if (role == 1) excluded.push_back(i);
    if (role != 1) candidates.push_back(i);
  }
  // The order of ties, seen from scores that are all equal.
  std::vector<int32_t> all(items);
  for (int i = 0; i < items; ++i) all[i] = i;
  const auto place = ranks(std::vector<float>(score.size(), 1), all, {}, seed);
  std::sort(candidates.begin(), candidates.end(),
            [&](int32_t a, int32_t b) { return score[a] != score[b] ? score[a] > score[b] : place[a] < place[b]; });
  const auto rank = ranks(score, query, excluded, seed);
  for (size_t q = 0; q < query.size(); ++q) RC_ASSERT(candidates[rank[q]] == query[q]);
}

}  // namespace
}  // namespace fewshop
