#include "task/order_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/property.h"
#include "task/shop.h"

namespace fewshop {
namespace {

using testing::dataset;
using ::testing::ElementsAre;
using testing::many_tasks;
using testing::Row;
using testing::shop_scenario;

std::vector<std::string> items_of(const Dataset& data, int task = 0) {
  std::vector<std::string> items;
  for (auto r = data.task_begin[task]; r < data.task_begin[task + 1]; ++r) items.push_back(data.item_ids[data.item[r]]);
  return items;
}

TEST(OrderRowsTest, TasksStandTogetherSortedByTheirValue) {
  const Dataset data = dataset({{"b", "x"}, {"a", "x"}, {"b", "y"}}, shop_scenario("[episode]\norder = 'time'\n"));
  EXPECT_THAT(data.task_ids, ElementsAre("a", "b"));
  EXPECT_THAT(data.task_begin, ElementsAre(0, 1, 3));
  EXPECT_THAT(data.task, ElementsAre(0, 1, 1));
  EXPECT_THAT(data.source, ElementsAre(1, 0, 2));
}

TEST(OrderRowsTest, ATaskIsAPairOfSplitValueAndTaskValue) {
  const auto s = shop_scenario("[split]\ncolumn = 'split'\ntrain = ['warm']\ntest = ['cold']\n");
  const Dataset data =
      dataset({{"u", "x", 1, 1, "", "warm"}, {"u", "y", 1, 2, "", "cold"}, {"u", "z", 1, 3, "", "warm"}}, s);
  EXPECT_THAT(data.task_ids, ElementsAre("u", "u"));
  EXPECT_THAT(data.task_split, ElementsAre("cold", "warm"));
  EXPECT_THAT(items_of(data, 1), ElementsAre("x", "z"));
}

TEST(OrderRowsTest, RowsFollowTimeThenTheTable) {
  const Dataset data =
      dataset({{"u", "late", 1, 9}, {"u", "x", 1, 5}, {"u", "y", 1, 5}, {"u", "early", 1, 1}}, shop_scenario(""));
  EXPECT_THAT(items_of(data), ElementsAre("early", "x", "y", "late"));
  EXPECT_THAT(data.group, ElementsAre(0, 1, 2, 3));
}

TEST(OrderRowsTest, GroupsStandTogetherByTheTimeOfTheirFirstRow) {
  const auto s = shop_scenario("[episode]\nties = 'ties'\n");
  const Dataset data =
      dataset({{"u", "b1", 1, 2, "b"}, {"u", "a2", 1, 3, "a"}, {"u", "b2", 1, 4, "b"}, {"u", "a1", 1, 1, "a"}}, s);
  EXPECT_THAT(items_of(data), ElementsAre("a1", "a2", "b1", "b2"));
  EXPECT_THAT(data.group, ElementsAre(0, 0, 1, 1));
  const Dataset times =
      dataset({{"u", "x", 1, 7}, {"u", "y", 1, 3}, {"u", "z", 1, 7}}, shop_scenario("[episode]\nties = 'time'\n"));
  EXPECT_THAT(times.group, ElementsAre(0, 1, 1));
}

TEST(OrderRowsTest, SupportComesBeforeQueryBeforeOthers) {
  const auto s = shop_scenario("[episode]\nrole = 'role'\n");
  const Dataset data =
      dataset({{"u", "other", 1, 1, "", "", 0}, {"u", "query", 1, 2, "", "", 2}, {"u", "support", 1, 3, "", "", 1}}, s);
  EXPECT_THAT(items_of(data), ElementsAre("support", "query", "other"));
  EXPECT_THAT(data.role, ElementsAre(1, 2, 0));
}

TEST(OrderRowsTest, ARandomOrderFollowsTheSeedAndNotTheTable) {
  expect_property("random order", [] {
    auto rows = many_tasks(4, 12);
    for (auto& row : rows) row.ties = row.item.substr(0, 2);
    const std::string ties = *rc::gen::element<std::string>("", "ties = 'ties'\n");
    const auto s = shop_scenario("[episode]\norder = 'random'\n" + ties);
    const Dataset before = dataset(rows, s);
    Random random(*rc::gen::arbitrary<uint64_t>());
    random.shuffle(rows);
    const Dataset after = dataset(rows, s);
    RC_ASSERT(before.task_ids == after.task_ids && before.group == after.group && before.time == after.time);
    for (int t = 0; t < 4; ++t) RC_ASSERT(items_of(before, t) == items_of(after, t));
  });
}

TEST(OrderRowsTest, AnotherSeedGivesAnotherOrderAndTasksHaveTheirOwn) {
  const auto rows = testing::one_task(20);
  const auto items = [&](int seed) {
    return items_of(
        dataset(rows, shop_scenario("[split]\nseed = " + std::to_string(seed) + "\n[episode]\norder = 'random'\n")));
  };
  EXPECT_EQ(items(1), items(1));
  EXPECT_NE(items(1), items(2));
  auto two = rows;
  for (const auto& row : rows) two.push_back({"v", row.item, row.target, row.time});
  const Dataset data = dataset(two, shop_scenario("[episode]\norder = 'random'\n"));
  EXPECT_NE(items_of(data, 0), items_of(data, 1));
}

}  // namespace
}  // namespace fewshop
