#include "runtime/search.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/random.h"
#include "runtime/search_items.h"

namespace fewshop {
namespace {

using testing::DrawnSearch, testing::Items, testing::definition, testing::random_items, testing::random_query;

/// Every score, checked against its definition; all of them sorted.
std::vector<ItemSearch::Hit> full_sort(const ItemSearch& search, const Items& items, const std::vector<float>& query,
                                       int n, const std::vector<int32_t>& exclude) {
  constexpr long double most = std::numeric_limits<float>::max();
  std::vector<ItemSearch::Hit> hits;
  for (int64_t i = 0; i < items.count; ++i) {
    if (std::binary_search(exclude.begin(), exclude.end(), static_cast<int32_t>(i))) continue;
    hits.push_back({static_cast<int32_t>(i), search.score(query.data(), static_cast<int32_t>(i))});
    const auto [score, magnitude] = definition(items, query, i);
    const long double cut = std::clamp(score, -most, most);
    EXPECT_LE(std::abs(hits.back().score - cut), 1e-13L * magnitude + 6e-8L * std::abs(cut) + 1e-45L) << "item " << i;
  }
  std::sort(hits.begin(), hits.end(),
            [](const auto& a, const auto& b) { return a.score != b.score ? a.score > b.score : a.item < b.item; });
  if (hits.size() > static_cast<size_t>(n)) hits.resize(n);
  return hits;
}

void expect_equals_full_sort(const Items& items, const std::vector<float>& query, int n,
                             const std::vector<int32_t>& exclude) {
  const auto expect = [&](ItemSearch search, const char* form) {
    search.assign(items.vectors.data(), items.stride, items.count, items.d, items.bias_or_null());
    ItemSearch::Buffers buffers;
    std::vector<ItemSearch::Hit> found;
    search.top(query.data(), n, ItemSet::of(exclude), buffers, found);
    EXPECT_TRUE(found == full_sort(search, items, query, n, exclude)) << "d = " << items.d << ", " << form;
  };
  expect(ItemSearch(false), "no codes");
  for (const CodeDots* dots : CodeDots::all()) expect(ItemSearch(true, *dots), dots->name);
}

TEST(ItemSearch, EqualsTheFullSortForRandomData) {
  EXPECT_TRUE(rc::check("random data", [] {
    Random random(*rc::gen::arbitrary<uint32_t>());
    const int64_t count = *rc::gen::inRange(0, 700);
    const int d = *rc::gen::inRange(1, 131), n = *rc::gen::inRange(0, 1001);
    const double scale = std::exp(4 * random.normal());
    const Items items = random_items(count, d, random, scale, *rc::gen::arbitrary<bool>());
    std::vector<int32_t> exclude;
    for (int64_t i = 0; i < count; ++i) {
      if (random.below(5) == 0) exclude.push_back(static_cast<int32_t>(i));
    }
    expect_equals_full_sort(items, random_query(d, random), n, exclude);
    RC_ASSERT(!::testing::Test::HasFailure());
  }));
}

TEST(ItemSearch, EqualsTheFullSortForEveryDimension) {
  for (int d = 1; d <= 130; ++d) {
    Random random(d);
    const Items items = random_items(500, d, random);
    expect_equals_full_sort(items, random_query(d, random), 10, {});
    if (HasFailure()) FAIL() << "d = " << d;
  }
}

TEST(ItemSearch, ManyItemsWithFewWantedAreFoundExactly) {
  Random random(5);
  const Items items = random_items(50'000, 64, random);
  for (int n : {1, 10, 100, 1000}) expect_equals_full_sort(items, random_query(64, random), n, {});
}

TEST(ItemSearch, EqualScoresAreRankedByTheSmallerIndex) {
  Items items(100, 7);
  std::fill(items.vectors.begin(), items.vectors.end(), 0.3f);
  items.bias.assign(100, -2.0f);
  Random random(1);
  const auto query = random_query(7, random);
  for (bool codes : {true, false}) {
    ItemSearch search(codes);
    search.assign(items.vectors.data(), items.stride, items.count, items.d, items.bias.data());
    ItemSearch::Buffers buffers;
    std::vector<ItemSearch::Hit> found;
    search.top(query.data(), 5, ItemSet::of(std::vector<int32_t>{0, 3}), buffers, found);
    std::vector<int32_t> order;
    for (const auto& hit : found) order.push_back(hit.item);
    EXPECT_EQ(order, (std::vector<int32_t>{1, 2, 4, 5, 6}));
  }
}

TEST(ItemSearch, NearlyEqualVectorsAreToldApart) {
  // All differences are far below the step of an 8-bit code: only the exact scores can rank them.
  Items items(1000, 32);
  Random random(2);
  const auto base = random_query(32, random);
  for (int64_t i = 0; i < items.count; ++i) {
    for (int j = 0; j < 32; ++j) items.at(i, j) = base[j] + static_cast<float>(1e-5 * random.normal());
  }
  expect_equals_full_sort(items, base, 20, {});
}

TEST(ItemSearch, OneHugeItemDoesNotBlurTheOthers) {
  Random random(3);
  Items items = random_items(2000, 16, random);
  for (int j = 0; j < 16; ++j) items.at(77, j) = -1e30f * (j + 1), items.at(78, j) = 1e-30f;
  items.at(5, 3) = 1e6f;
  expect_equals_full_sort(items, random_query(16, random), 50, {});
}

TEST(ItemSearch, MagnitudesBeyondFloatArithmeticAreRankedAllTheSame) {
  Random random(4);
  for (double item_scale : {1e36, 1e-38, 1e-44, 1.0}) {
    for (double query_scale : {1e36, 1e-38, 1.0}) {
      const Items items = random_items(300, 9, random, item_scale, item_scale == 1.0);
      expect_equals_full_sort(items, random_query(9, random, query_scale), 10, {});
      if (HasFailure()) FAIL() << item_scale << " x " << query_scale;
    }
  }
}

TEST(ItemSearch, AllNegativeScoresAndAZeroQueryAreServed) {
  Random random(6);
  Items items = random_items(200, 12, random, 1, false);
  for (float& x : items.vectors) x = std::abs(x);
  expect_equals_full_sort(items, std::vector<float>(12, -1.0f), 30, {});
  expect_equals_full_sort(items, std::vector<float>(12, 0.0f), 30, {});
  items.bias = random_query(200, random);
  expect_equals_full_sort(items, std::vector<float>(12, 0.0f), 30, {});
}

TEST(ItemSearch, WorstOrdersAreRankedTheSame) {
  // Ascending scores: every item beats all before it; descending: none does.
  for (int sign : {1, -1}) {
    Items items(3000, 3);
    for (int64_t i = 0; i < items.count; ++i) {
      for (int j = 0; j < 3; ++j) items.at(i, j) = static_cast<float>(sign * i) / 7;
    }
    expect_equals_full_sort(items, {1, 2, 3}, 100, {});
  }
}

TEST(ItemSearch, AGuessFromASampleNeverShows) {
  // 300 of 20,000: the search guesses from every 37th block where the best begin. Where the best lie in those blocks
  // only the guess is far too high, where they lie outside all of them far too low.
  constexpr int64_t kItems = 20'000, kStep = 37, kBlock = 8;
  for (const auto& best_in_sample : {true, false}) {
    Random random(9);
    Items items = random_items(kItems, 24, random);
    for (int64_t i = 0; i < kItems; ++i)
      if ((i / kBlock % kStep == kStep / 2) == best_in_sample && (best_in_sample || i % 50 == 0)) items.bias[i] += 100;
    for (int n : {299, 300, 301, 540, 541, 700}) expect_equals_full_sort(items, random_query(24, random), n, {});
    std::vector<int32_t> most;
    for (int32_t i = 0; i < kItems; ++i)
      if (i % 64 != 5) most.push_back(i);
    expect_equals_full_sort(items, random_query(24, random), 300, most);
  }
  // All scores equal: the guess is what every item has.
  Items alike(kItems, 3);
  std::fill(alike.vectors.begin(), alike.vectors.end(), 0.5F);
  Random random(3);
  expect_equals_full_sort(alike, random_query(3, random), 300, {});
}

TEST(ItemSearch, AGuessAboveTheLastOfTheBestIsNoticed) {
  // The sample knows of 68 items of 10 and more; 232 of the best 300 have 9, and the coarse codes of 285 items of 5 say
  // that they might have more than the guess: the pool is full, but not of the best.
  Items items(20'000, 2);
  for (int64_t i = 0; i < items.count; ++i) {
    float bias = 0;
    if (i / 8 % 37 == 18) {
      if (i % 8 == 0) bias = 10 + static_cast<float>(i) * 1e-4F;
    } else if (i % 50 == 1) {
      items.at(i, 1) = 2540;
      bias = 5;
    } else if (i % 50 == 2) {
      bias = 9;
    }
    items.bias.push_back(bias);
  }
  expect_equals_full_sort(items, {1, 0}, 300, {});
}

TEST(ItemSearch, ItemsThatComeLaterAreFound) {
  Random random(7);
  const Items all = random_items(1003, 20, random);
  const auto query = random_query(20, random);
  for (bool codes : {true, false}) {
    ItemSearch whole(codes), grown(codes);
    whole.assign(all.vectors.data(), all.stride, all.count, all.d, all.bias.data());
    const std::vector<float> first(all.vectors.begin(), all.vectors.begin() + 3 * all.stride);  // another place
    grown.assign(first.data(), all.stride, 3, all.d, all.bias.data());
    for (int64_t count : {3, 4, 9, 17, 500, 501, 1003})
      grown.extend(all.vectors.data(), all.stride, count, all.bias.data());
    ItemSearch::Buffers buffers;
    std::vector<ItemSearch::Hit> expected, found;
    whole.top(query.data(), 50, {}, buffers, expected);
    grown.top(query.data(), 50, {}, buffers, found);
    EXPECT_EQ(found, expected);
    EXPECT_EQ(grown.size(), 1003);
  }
}

TEST(ItemSearch, ItemsThatChangeWhereTheyStandAreFound) {
  Random random(12);
  for (const bool codes : {true, false}) {
    Items items = random_items(500, 19, random);
    ItemSearch search(codes);
    search.assign(items.vectors.data(), items.stride, items.count, items.d, items.bias_or_null());
    for (int round = 0; round < 20; ++round) {
      const auto item = static_cast<int64_t>(random.below(500));
      for (int j = 0; j < items.d; ++j) items.at(item, j) = static_cast<float>(3 * random.normal());
      items.bias[item] = static_cast<float>(random.normal());
      search.update(item);
      const auto query = random_query(items.d, random);
      ItemSearch::Buffers buffers;
      std::vector<ItemSearch::Hit> found;
      search.top(query.data(), 30, {}, buffers, found);
      EXPECT_EQ(found, full_sort(search, items, query, 30, {}));
    }
  }
}

TEST(ItemSearch, ItemsWithoutAScoreComeLast) {
  Random random(8);
  Items items = random_items(40, 9, random);
  constexpr float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  items.at(3, 2) = nan;
  items.at(11, 4) = infinity, items.at(11, 5) = -infinity;
  items.bias[20] = nan;
  for (bool codes : {true, false}) {
    ItemSearch search(codes);
    search.assign(items.vectors.data(), items.stride, items.count, items.d, items.bias.data());
    ItemSearch::Buffers buffers;
    std::vector<ItemSearch::Hit> found;
    search.top(std::vector<float>(9, 1.0f).data(), 40, {}, buffers, found);
    ASSERT_EQ(found.size(), 40u);
    EXPECT_EQ(found[37].item, 3);
    EXPECT_EQ(found[38].item, 11);
    EXPECT_EQ(found[39].item, 20);
    EXPECT_TRUE(std::all_of(found.begin(), found.end(), [](const auto& hit) { return std::isfinite(hit.score); }));
    search.top(std::vector<float>(9, nan).data(), 3, {}, buffers, found);
    EXPECT_EQ(found[0].item, 0);
    EXPECT_EQ(found[2].item, 2);
  }
}

TEST(ItemSearch, SeveralQueriesTogetherFindWhatEachFindsAlone) {
  EXPECT_TRUE(rc::check("queries together", [] {
    Random random(*rc::gen::arbitrary<uint32_t>());
    const size_t queries = *rc::gen::inRange(0, 10);
    // Whole blocks are left out of some queries only.
    DrawnSearch drawn(queries, random,
                      [&](size_t q, int32_t item) { return q % 3 == 1 ? item / 64 % 2 == 0 : random.below(5) == 0; });
    std::vector<ItemSearch::Query> asked;
    for (size_t q = 0; q < queries; ++q) {
      drawn.found[q].resize(3);
      asked.push_back(drawn.query(q, static_cast<int>(random.below(60))));
    }
    const int shared = drawn.search.top(asked);
    RC_ASSERT(shared == 0 || (shared > 1 && shared <= static_cast<int>(queries)));
    for (size_t q = 0; q < queries; ++q) {
      std::vector<ItemSearch::Hit> alone;
      drawn.search.top(asked[q].vector, asked[q].n, drawn.excluded[q], drawn.buffers[q], alone);
      RC_ASSERT(drawn.found[q] == alone);
    }
  }));
}

TEST(ItemSearch, FourQueriesOverAllItemsShareAPass) {
  Random random(3);
  const Items items = random_items(5'000, 64, random);
  ItemSearch search;
  search.assign(items.vectors.data(), items.stride, items.count, items.d, items.bias_or_null());
  const ItemSet none;
  for (const int queries : {1, 2, 3, 4, 5, 6}) {
    std::vector<std::vector<float>> vectors;
    std::vector<ItemSearch::Buffers> buffers(queries);
    std::vector<std::vector<ItemSearch::Hit>> found(queries);
    std::vector<ItemSearch::Query> asked;
    for (int q = 0; q < queries; ++q) vectors.push_back(random_query(64, random));
    for (int q = 0; q < queries; ++q) asked.push_back({vectors[q].data(), 7, &none, &buffers[q], &found[q]});
    EXPECT_EQ(search.top(asked), queries == 1 ? 0 : queries == 5 ? 4 : queries);
    for (int q = 0; q < queries; ++q) EXPECT_EQ(found[q], full_sort(search, items, vectors[q], 7, {}));
  }
}

/// The best of rows of four and more dimensions without bias.
int32_t best_of(const std::vector<float>& vectors, const std::vector<float>& query) {
  const auto d = static_cast<int>(query.size());
  int32_t best = -1;
  for (const CodeDots* dots : CodeDots::all()) {
    ItemSearch search(true, *dots);
    search.assign(vectors.data(), d, std::ssize(vectors) / d, d, nullptr);
    ItemSearch::Buffers buffers;
    std::vector<ItemSearch::Hit> found;
    search.top(query.data(), 1, {}, buffers, found);
    EXPECT_TRUE(best < 0 || found[0].item == best) << dots->name;
    best = found[0].item;
  }
  return best;
}

TEST(ItemSearch, WhatTheCodesOfAQueryLoseIsInTheBounds) {
  // 0.2 beside 127 has a code of 0: by the codes the last row, of ones there, is worth nothing.
  constexpr int kD = 64, kOthers = 200;
  std::vector<float> query(kD, 0.2F), vectors((kOthers + 1) * kD, 0.0F);
  query[0] = 127;
  for (int i = 0; i < kOthers; ++i) vectors[i * kD] = 0.5F * 0.2F * (kD - 1) / 127;  // half of what it is worth
  for (int j = 1; j < kD; ++j) vectors[kOthers * kD + j] = 1;
  EXPECT_EQ(best_of(vectors, query), kOthers);
}

TEST(ItemSearch, WhatTheCodesOfARowLoseIsInTheBounds) {
  constexpr int kD = 64, kOthers = 200;
  std::vector<float> query(kD, 1.0F), vectors((kOthers + 1) * kD, 0.0F);
  for (int i = 0; i <= kOthers; ++i) vectors[i * kD] = 127;
  for (int i = 0; i < kOthers; ++i)
    for (int j = 1; j <= 20; ++j) vectors[i * kD + j] = 1;         // codes say it all: 147
  for (int j = 1; j < kD; ++j) vectors[kOthers * kD + j] = 0.45F;  // codes of 0, but worth 155
  EXPECT_EQ(best_of(vectors, query), kOthers);
}

TEST(ItemSearch, NothingIsFoundWhereThereIsNothing) {
  ItemSearch search;
  search.assign(nullptr, 4, 0, 4, nullptr);
  ItemSearch::Buffers buffers;
  std::vector<ItemSearch::Hit> found(3);
  const float query[4] = {1, 2, 3, 4};
  search.top(query, 5, {}, buffers, found);
  EXPECT_TRUE(found.empty());
  search.assign(query, 4, 1, 4, nullptr);
  search.top(query, 5, ItemSet::of(std::vector<int32_t>{0}), buffers, found);
  EXPECT_TRUE(found.empty());
  search.top(query, 0, {}, buffers, found);
  EXPECT_TRUE(found.empty());
  search.top(query, 5, ItemSet::of(std::vector<int32_t>{1, 9}), buffers, found);
  EXPECT_EQ(found, (std::vector<ItemSearch::Hit>{{0, 30}}));
}

}  // namespace
}  // namespace fewshop
