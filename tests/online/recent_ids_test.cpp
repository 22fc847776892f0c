#include "online/recent_ids.h"

#include <gtest/gtest.h>

namespace fewshop {
namespace {

uint64_t hash(uint64_t i) { return i * 0x9e3779b97f4a7c15; }

TEST(RecentIds, RemembersAtLeastAsManyAsItPromisesAndForgetsInTheEnd) {
  RecentIds ids(1000);
  for (uint64_t i = 1; i <= 10'000; ++i) {
    EXPECT_FALSE(ids.contains(hash(i)));
    ids.add(hash(i));
    for (const uint64_t back : {0, 1, 999})
      if (i > back) {
        EXPECT_TRUE(ids.contains(hash(i - back)));
      }
  }
  EXPECT_LE(ids.size(), 2000);
  EXPECT_FALSE(ids.contains(hash(1)));
}

TEST(RecentIds, ZeroIsAHashLikeAnyOther) {
  RecentIds ids;
  EXPECT_FALSE(ids.contains(0));
  ids.add(0);
  EXPECT_TRUE(ids.contains(0));
}

TEST(RecentIds, OneIdAgainAndAgainTakesOnePlace) {
  RecentIds ids(10);
  for (int i = 0; i < 100; ++i) ids.add(hash(5));
  EXPECT_EQ(ids.size(), 1);
}

}  // namespace
}  // namespace fewshop
