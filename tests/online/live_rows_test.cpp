#include "online/live_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <thread>

namespace fewshop {
namespace {

using ::testing::ElementsAre;

LiveRow row(Micros time, int32_t item, uint32_t event) { return {time, item, event, 0, 0, 0}; }

std::vector<int32_t> items(LiveRows& rows, const std::string& key, Micros until = 1000) {
  std::vector<LiveRow> found;
  rows.read(key, until, found);
  std::vector<int32_t> items;
  for (const LiveRow& one : found) items.push_back(one.item);
  return items;
}

struct Stored {
  std::map<std::string, std::vector<LiveRow>, std::less<>> rows;
  int loads = 0;
  LiveRows::Load load() {
    return [this](std::string_view key, Micros, std::vector<LiveRow>& out) {
      ++loads;
      if (const auto found = rows.find(key); found != rows.end()) out = found->second;
    };
  }
};

TEST(LiveRows, ReadsAKeyOnceAndAddsToItInOrderOfTime) {
  Stored stored;
  stored.rows["u:1"] = {row(10, 1, 1), row(20, 2, 2)};
  LiveRows rows({}, stored.load());
  EXPECT_THAT(items(rows, "u:1"), ElementsAre(1, 2));
  rows.add("u:1", row(15, 3, 3), 1000);
  rows.add("u:1", row(20, 4, 4), 1000);
  EXPECT_THAT(items(rows, "u:1"), ElementsAre(1, 3, 2, 4));
  EXPECT_EQ(stored.loads, 1);
}

TEST(LiveRows, ARowThatTheStoreGaveAlreadyIsNotCountedAgain) {
  Stored stored;
  stored.rows["u:1"] = {row(10, 1, 7)};
  LiveRows rows({}, stored.load());
  items(rows, "u:1");
  rows.add("u:1", row(10, 1, 7), 1000);
  EXPECT_THAT(items(rows, "u:1"), ElementsAre(1));
  rows.add("u:1", row(30, 1, 7), 1000);  // sent again later, without a time of its own
  EXPECT_THAT(items(rows, "u:1"), ElementsAre(1));
}

TEST(LiveRows, WhatIsAddedToAKeyThatIsNotThereIsTheStoresAffair) {
  Stored stored;
  LiveRows rows({}, stored.load());
  rows.add("u:1", row(10, 1, 1), 1000);
  EXPECT_THAT(items(rows, "u:1"), ElementsAre());
}

TEST(LiveRows, RowsOfTheFutureWait) {
  Stored stored;
  stored.rows["u:1"] = {row(10, 1, 1), row(500, 2, 2)};
  LiveRows rows({}, stored.load());
  EXPECT_THAT(items(rows, "u:1", 100), ElementsAre(1));
  EXPECT_THAT(items(rows, "u:1", 500), ElementsAre(1, 2));
}

TEST(LiveRows, OnlyTheLatestAreKept) {
  Stored stored;
  for (int i = 0; i < 10; ++i) stored.rows["u:1"].push_back(row(i, i, i));
  LiveRows rows({.rows_per_key = 3}, stored.load());
  EXPECT_THAT(items(rows, "u:1"), ElementsAre(7, 8, 9));
  rows.add("u:1", row(11, 11, 11), 1000);
  EXPECT_THAT(items(rows, "u:1"), ElementsAre(8, 9, 11));
}

TEST(LiveRows, RowsOfTheFutureTakeNoRoomFromThoseThatCount) {
  Stored stored;
  for (int i = 1; i <= 3; ++i) stored.rows["u:1"].push_back(row(i, i, i));
  LiveRows rows({.rows_per_key = 3}, stored.load());
  EXPECT_THAT(items(rows, "u:1", 10), ElementsAre(1, 2, 3));
  for (int i = 20; i < 26; ++i) {
    stored.rows["u:1"].push_back(row(i, i, i));
    rows.add("u:1", row(i, i, i), 10);
  }
  EXPECT_THAT(items(rows, "u:1", 10), ElementsAre(1, 2, 3));
  EXPECT_LE(rows.usage().rows, 6);
  EXPECT_THAT(items(rows, "u:1", 20), ElementsAre(2, 3, 20));
  EXPECT_EQ(stored.loads, 1);
  EXPECT_THAT(items(rows, "u:1", 30), ElementsAre(23, 24, 25));  // more have come due than were kept
  EXPECT_EQ(stored.loads, 2);
}

TEST(LiveRows, WhereAnItemGoesThatTookRoomOlderRowsComeBack) {
  Stored stored;
  for (int i = 1; i <= 4; ++i) stored.rows["u:1"].push_back(row(i, i, i));
  LiveRows rows({.rows_per_key = 3}, stored.load());
  EXPECT_THAT(items(rows, "u:1"), ElementsAre(2, 3, 4));
  stored.rows["u:1"].pop_back();
  rows.drop_item(4);
  EXPECT_THAT(items(rows, "u:1"), ElementsAre(1, 2, 3));
}

TEST(LiveRows, StaysWithinItsMemoryAndReadsAgainWhatItDropped) {
  Stored stored;
  constexpr int kKeys = 20'000;
  for (int key = 0; key < kKeys; ++key) stored.rows["u:" + std::to_string(key)] = {row(1, key, 1)};
  LiveRows rows({.most_bytes = 1 << 20}, stored.load());
  for (int key = 0; key < kKeys; ++key) items(rows, "u:" + std::to_string(key));
  EXPECT_LE(rows.usage().bytes, 1 << 20);
  EXPECT_GT(rows.usage().keys, 1000);
  EXPECT_THAT(items(rows, "u:5"), ElementsAre(5));
  EXPECT_EQ(stored.loads, kKeys + 1);
}

TEST(LiveRows, DroppedKeysAndItemsAreGone) {
  Stored stored;
  stored.rows["u:1"] = {row(10, 1, 1), row(11, 2, 2)};
  LiveRows rows({}, stored.load());
  items(rows, "u:1");
  rows.drop_item(1);
  EXPECT_THAT(items(rows, "u:1"), ElementsAre(2));
  stored.rows.clear();
  rows.drop("u:1");
  EXPECT_THAT(items(rows, "u:1"), ElementsAre());
  EXPECT_EQ(rows.usage().rows, 0);
}

// Every row is in the store before it is added; a reader that sees the store's state must not lose it, nor see it
// twice.
TEST(LiveRows, LoadingWhileRowsAreAddedLosesAndDoublesNothing) {
  for (int round = 0; round < 50; ++round) {
    std::mutex mutex;
    std::vector<LiveRow> store;
    LiveRows rows({}, [&](std::string_view, Micros, std::vector<LiveRow>& out) {
      const std::lock_guard lock(mutex);
      out = store;
    });
    std::jthread writer([&] {
      for (uint32_t i = 1; i <= 50; ++i) {
        {
          const std::lock_guard lock(mutex);
          store.push_back(row(i, static_cast<int32_t>(i), i));
        }
        rows.add("u:1", row(i, static_cast<int32_t>(i), i), 1000);
      }
    });
    std::vector<LiveRow> seen;
    for (int i = 0; i < 20; ++i) rows.read("u:1", 1000, seen);
    writer.join();
    rows.read("u:1", 1000, seen);
    ASSERT_EQ(seen.size(), 50);
  }
}

}  // namespace
}  // namespace fewshop
