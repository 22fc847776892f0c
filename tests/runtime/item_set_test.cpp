#include "runtime/item_set.h"

#include <gtest/gtest.h>

#include <set>

#include "core/random.h"

namespace fewshop {
namespace {

TEST(ItemSet, BehavesAsASetOfNumbers) {
  Random random(1);
  ItemSet set;
  std::set<int32_t> twin;
  for (int draw = 0; draw < 3000; ++draw) {
    const auto item = static_cast<int32_t>(random.below(400));
    const bool in = random.uniform() < 0.5;
    set.set(item, in);
    if (in)
      twin.insert(item);
    else
      twin.erase(item);
    const auto n = static_cast<int64_t>(random.below(500));
    const auto below = std::distance(twin.begin(), twin.lower_bound(static_cast<int32_t>(n)));
    ASSERT_EQ(set.count(n), below);
    int64_t absent = 0;
    int32_t last = -1;
    set.each_absent(n, [&](int32_t other) {
      EXPECT_LT(last, other);
      EXPECT_LT(other, n);
      EXPECT_FALSE(twin.contains(other));
      last = other;
      ++absent;
    });
    ASSERT_EQ(absent, n - below);
  }
  for (int32_t item = -3; item < 1000; ++item) EXPECT_EQ(set.contains(item), twin.contains(item));
}

TEST(ItemSet, NumbersThatAreNoItemsDoNoHarm) {
  ItemSet set = ItemSet::of(std::vector<int32_t>{-5, -1, 3});
  EXPECT_FALSE(set.contains(-1));
  EXPECT_TRUE(set.contains(3));
  set.set(100'000, false);
  EXPECT_EQ(set.count(1'000'000), 1);
}

TEST(ItemSet, WhatAnotherSetDoesNotHaveIsAddedUpToTheEnd) {
  const ItemSet passing = ItemSet::of(std::vector<int32_t>{0, 64, 130});
  ItemSet excluded = ItemSet::of(std::vector<int32_t>{0, 500});
  excluded.add_absent(passing, 129);
  EXPECT_TRUE(excluded.contains(0)) << "it was there";
  EXPECT_FALSE(excluded.contains(64));
  EXPECT_EQ(excluded.count(129), 128);
  EXPECT_EQ(excluded.count(1000), 129);
  EXPECT_FALSE(excluded.contains(129)) << "beyond the end";
  EXPECT_TRUE(excluded.contains(500));
}

}  // namespace
}  // namespace fewshop
