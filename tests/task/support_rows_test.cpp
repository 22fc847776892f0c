#include "task/support_rows.h"

#include <gtest/gtest.h>

namespace fewshop {
namespace {

Dataset three_rows() {
  Dataset data;
  data.task = {0, 0, 0};
  data.item = {4, 2, 4};
  data.target = {3, 5, 1};
  data.weight = {1, 0.5F, 1};
  data.time = {10 * kSecond, 20 * kSecond, 70 * kSecond};
  data.kind = {0, 1, 0};
  data.group = {0, 0, 1};
  return data;
}

TEST(SupportRowsTest, RowsKeepTheirOrderAndAgesCountFromTheQuery) {
  const Dataset data = three_rows();
  const std::vector<int32_t> support{0, 1}, query{2};
  const Micros at = episode_time(data, support, query);
  EXPECT_EQ(at, 70 * kSecond);
  const auto rows = support_rows(data, support, at);
  ASSERT_EQ(rows.size(), 2);
  EXPECT_EQ(rows[0].item, 4);
  EXPECT_EQ(rows[0].age, 60);
  EXPECT_EQ(rows[1].item, 2);
  EXPECT_EQ(rows[1].target, 5);
  EXPECT_EQ(rows[1].weight, 0.5F);
  EXPECT_EQ(rows[1].age, 50);
  EXPECT_EQ(rows[1].kind, 1);
  EXPECT_EQ(rows[1].group, 0);
}

TEST(SupportRowsTest, WithoutAQueryTheLatestRowIsNow) {
  const Dataset data = three_rows();
  EXPECT_EQ(episode_time(data, std::vector<int32_t>{0, 1}, {}), 20 * kSecond);
  EXPECT_EQ(episode_time(data, {}, {}), kNoTime);
}

TEST(SupportRowsTest, RowsAfterTheQueryHaveNoNegativeAge) {
  const Dataset data = three_rows();
  EXPECT_EQ(support_rows(data, std::vector<int32_t>{2}, 10 * kSecond)[0].age, 0);
}

TEST(SupportRowsTest, RowsWithoutATimeHaveAgeZero) {
  Dataset data = three_rows();
  data.time[0] = kNoTime;
  const std::vector<int32_t> support{0, 1}, query{2};
  auto rows = support_rows(data, support, episode_time(data, support, query));
  EXPECT_EQ(rows[0].age, 0);
  EXPECT_EQ(rows[1].age, 50);
  data.time[2] = kNoTime;
  EXPECT_EQ(episode_time(data, support, query), 20 * kSecond) << "no query row has a time";
  EXPECT_EQ(episode_time(data, std::vector<int32_t>{0}, query), kNoTime);
  rows = support_rows(data, support, kNoTime);
  EXPECT_EQ(rows[1].age, 0);
}

TEST(SupportRowsTest, ItemsAreRenumberedForTheModel) {
  const Dataset data = three_rows();
  const std::vector<int32_t> item_of{-1, -1, 7, -1, -1};
  const auto rows = support_rows(data, std::vector<int32_t>{0, 1}, 0, item_of);
  EXPECT_EQ(rows[0].item, -1);
  EXPECT_EQ(rows[1].item, 7);
}

}  // namespace
}  // namespace fewshop
