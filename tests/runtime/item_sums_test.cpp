#include "runtime/item_sums.h"
#include "runtime/dense_sums.h"

#include <gtest/gtest.h>

#include <map>

#include "core/random.h"

namespace fewshop {
namespace {

TEST(ItemSums, BehaveAsAMapFromItemsToNumbers) {
  Random random(1);
  ItemSums sums;
  EXPECT_EQ(sums.of(0), 0);
  // Few items and many, near one another and far apart, with the same object: what one round leaves the next must not
  // see.
  for (int round = 0; round < 60; ++round) {
    std::map<int32_t, double> twin;
    std::vector<int32_t> first_seen;
    const int64_t items = round % 3 == 0 ? 50 : 1'000'000, values = round % 5 == 0 ? 5000 : 200;
    for (int64_t i = 0; i < values; ++i) {
      const auto item = static_cast<int32_t>(random.below(items) - (round % 7 == 0 ? items / 2 : 0));
      const double value = random.uniform() - 0.5;
      sums.add(item, value);
      if (!twin.contains(item)) first_seen.push_back(item);
      twin[item] += value;
    }
    ASSERT_TRUE(std::ranges::equal(sums.items(), first_seen));
    for (size_t i = 0; i < first_seen.size(); ++i) {
      ASSERT_EQ(sums.sums()[i], twin[first_seen[i]]);
      ASSERT_EQ(sums.of(first_seen[i]), twin[first_seen[i]]);
    }
    for (int32_t item = 0; item < 2000; ++item) ASSERT_EQ(sums.of(item), twin.contains(item) ? twin[item] : 0) << item;
    sums.clear();
    EXPECT_TRUE(sums.items().empty());
    for (const int32_t item : first_seen) ASSERT_EQ(sums.of(item), 0);
  }
}

TEST(DenseSums, BehaveAsAMapFromItemsToNumbers) {
  constexpr int kItems = 300;
  Random random(2);
  DenseSums sums(kItems);
  for (int round = 0; round < 40; ++round) {
    std::map<int32_t, double> twin;
    std::vector<int32_t> first_seen;
    for (int64_t i = 0; i < (round % 3 == 0 ? 5000 : 40); ++i) {
      const auto item = static_cast<int32_t>(random.below(kItems));
      const double value = random.below(4) == 0 ? 0 : random.uniform();  // 0 makes no item one that has a sum
      sums.add(item, value);
      if (value > 0 && !twin.contains(item)) first_seen.push_back(item);
      if (value > 0) twin[item] += value;
    }
    ASSERT_TRUE(std::ranges::equal(sums.items(), first_seen));
    for (int32_t item = 0; item < kItems; ++item) ASSERT_EQ(sums.of(item), twin.contains(item) ? twin[item] : 0);
    sums.clear();
    ASSERT_TRUE(sums.items().empty());
    for (int32_t item = 0; item < kItems; ++item) ASSERT_EQ(sums.of(item), 0);
  }
}

}  // namespace
}  // namespace fewshop
