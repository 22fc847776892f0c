#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "core/random.h"
#include "runtime/item_mix.h"
#include "runtime/search.h"
#include "runtime/search_items.h"

namespace fewshop {
namespace {

using testing::DrawnSearch, testing::Items, testing::definition, testing::random_items, testing::random_query;

/// A mix over `items` as a stack of random weights has it; some cells do not weigh the search's score at all.
struct RandomMix {
  RandomMix(const Items& items, Random& random) {
    const auto room = static_cast<size_t>(items.count + 7) / 8 * 8;
    const double scale = std::exp(3 * random.normal());
    for (size_t i = 0; i < room; ++i) {
      cells.push_back(static_cast<uint8_t>(random.below(ItemMix::kCells)));
      column.push_back(static_cast<float>(scale * random.normal()));
    }
    mix.cells = cells.data();
    mix.column = column.data();
    for (const float x : column) mix.largest = std::max(mix.largest, std::abs(x));
    for (int cell = 0; cell < ItemMix::kCells; ++cell) {
      mix.own[cell] = random.below(4) == 0 ? 0 : static_cast<float>(std::exp(random.normal()));
      mix.with[cell] = static_cast<float>(random.normal());
      mix.plus[cell] = static_cast<float>(random.normal());
    }
  }
  std::vector<uint8_t> cells;
  std::vector<float> column;
  ItemMix mix;
};

TEST(SearchByMix, AMixIsRankedExactly) {
  EXPECT_TRUE(rc::check("mixes", [] {
    Random random(*rc::gen::arbitrary<uint32_t>());
    const size_t queries = *rc::gen::inRange(1, 7);
    DrawnSearch drawn(queries, random, [&](size_t, int32_t) { return random.below(5) == 0; });
    std::vector<RandomMix> mixes;
    for (size_t q = 0; q < queries; ++q) mixes.emplace_back(drawn.items, random);
    std::vector<ItemSearch::Query> asked;
    for (size_t q = 0; q < queries; ++q)
      asked.push_back(drawn.query(q, static_cast<int>(random.below(200)), q % 3 == 2 ? nullptr : &mixes[q].mix));
    drawn.search.top(asked);
    for (size_t q = 0; q < queries; ++q) {
      const ItemMix& mix = mixes[q].mix;
      std::vector<ItemSearch::Hit> all;
      for (int32_t item = 0; item < drawn.items.count; ++item) {
        if (drawn.excluded[q].contains(item)) continue;
        float score = drawn.search.score(drawn.vectors[q].data(), item);
        if (asked[q].mix) {
          // In long double: the search may differ by what it rounds.
          const auto exact = definition(drawn.items, drawn.vectors[q], item).first;
          const uint8_t cell = mix.cells[item];
          score = static_cast<float>(mix.own[cell] * exact +
                                     (static_cast<long double>(mix.with[cell]) * mix.column[item] + mix.plus[cell]));
        }
        all.push_back({item, score});
      }
      std::sort(all.begin(), all.end(),
                [](const auto& a, const auto& b) { return a.score != b.score ? a.score > b.score : a.item < b.item; });
      all.resize(std::min<size_t>(all.size(), asked[q].n));
      RC_ASSERT(drawn.found[q].size() == all.size());
      for (size_t i = 0; i < all.size(); ++i) {
        const float tolerance = 2e-7F * std::abs(all[i].score) + 1e-30F;
        RC_ASSERT(std::abs(drawn.found[q][i].score - all[i].score) <= tolerance);
      }
    }
  }));
}

TEST(SearchByMix, AMixOfManyItemsIsFoundWithAGuess) {
  Random random(6);
  const Items items = random_items(20'000, 24, random);
  ItemSearch search;
  search.assign(items.vectors.data(), items.stride, items.count, items.d, items.bias_or_null());
  const RandomMix mix(items, random);
  const auto query = random_query(24, random);
  std::vector<std::pair<double, int32_t>> all;
  for (int32_t item = 0; item < items.count; ++item)
    all.emplace_back(-mix.mix.of(item, static_cast<double>(definition(items, query, item).first)), item);
  std::sort(all.begin(), all.end());
  for (const int n : {1, 10, 50, 300, 700}) {
    ItemSearch::Buffers buffers;
    std::vector<ItemSearch::Hit> found;
    const ItemSet none;
    const ItemSearch::Query asked{query.data(), n, &none, &buffers, &found, &mix.mix};
    search.top({&asked, 1});
    ASSERT_EQ(std::ssize(found), n);
    for (int i = 0; i < n; ++i) EXPECT_EQ(found[i].item, all[i].second) << "place " << i << " of " << n;
  }
}

TEST(SearchByMix, AMixOfNumbersBeyondFloatIsRankedAllTheSame) {
  Random random(8);
  Items items = random_items(600, 8, random);
  for (int64_t i = 0; i < 600; i += 50) items.at(i, 3) = 1e38F;
  items.at(77, 0) = std::numeric_limits<float>::quiet_NaN();
  RandomMix mix(items, random);
  mix.mix.own = {1, 0, 1e-3F, 1e30F, 1, 0, 2, 1};
  for (const bool codes : {true, false}) {
    ItemSearch search(codes);
    search.assign(items.vectors.data(), items.stride, items.count, items.d, items.bias_or_null());
    const auto query = random_query(8, random, 1e3);
    std::vector<ItemSearch::Hit> found;
    ItemSearch::Buffers buffers;
    const ItemSet none;
    std::vector<double> all;
    for (int32_t item = 0; item < 600; ++item) {
      const auto score = static_cast<double>(definition(items, query, item).first);
      constexpr double kMost = std::numeric_limits<float>::max();
      all.push_back(item == 77 ? -kMost : std::clamp(mix.mix.of(item, score), -kMost, kMost));
    }
    std::sort(all.begin(), all.end(), std::greater<>());
    for (const int n : {20, 600, 700}) {
      const ItemSearch::Query asked{query.data(), n, &none, &buffers, &found, &mix.mix};
      search.top({&asked, 1});
      ASSERT_EQ(std::ssize(found), std::min(n, 600));
      for (size_t i = 0; i < found.size(); ++i) EXPECT_FLOAT_EQ(found[i].score, static_cast<float>(all[i])) << i;
    }
  }
}

TEST(SearchByMix, AWrongGuessOfAMixIsSearchedAgainByTheMix) {
  // The high numbers of the column stand in the blocks that the sample looks at, and there are fewer than are wanted.
  constexpr int kD = 4;
  constexpr int64_t kItems = 40'000;
  Items items(kItems, kD);
  for (int64_t i = 0; i < kItems; ++i)
    for (int j = 0; j < kD; ++j) items.at(i, j) = static_cast<float>((i * 7919 + j * 31) % 1000) / 1000;
  ItemSearch search;
  search.assign(items.vectors.data(), items.stride, kItems, kD, nullptr);
  const std::vector<float> query(kD, 1.0F);
  const std::vector<uint8_t> cells(kItems, 0);
  for (const int n : {130, 200, 400, 1000}) {
    const int64_t step = 2 * n / 16;
    std::vector<float> column(kItems);
    ItemSet excluded;
    int high = 0;
    for (int64_t i = 0; i < kItems; ++i) {
      const bool sampled = i / 8 % step == step / 2;
      column[i] = sampled ? 1000 + static_cast<float>(i % 977) / 10 : static_cast<float>(i * 31 % 977) / 10;
      if (sampled && high++ >= n / 2 + 40) excluded.set(static_cast<int32_t>(i), true);
    }
    ItemMix mix{.cells = cells.data(), .column = column.data(), .largest = 1100};
    mix.own[0] = 1e-3F;
    mix.with[0] = 1;
    ItemSearch::Buffers buffers;
    std::vector<ItemSearch::Hit> found;
    const ItemSearch::Query asked{query.data(), n, &excluded, &buffers, &found, &mix};
    search.top({&asked, 1});
    std::vector<float> all;
    for (int32_t item = 0; item < kItems; ++item)
      if (!excluded.contains(item)) all.push_back(static_cast<float>(mix.of(item, search.score(query.data(), item))));
    std::sort(all.begin(), all.end(), std::greater<>());
    ASSERT_EQ(std::ssize(found), n);
    for (int i = 0; i < n; ++i) EXPECT_NEAR(found[i].score, all[i], 1e-4F) << "place " << i << " of " << n;
  }
}

}  // namespace
}  // namespace fewshop
