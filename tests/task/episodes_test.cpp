#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <set>

#include "core/property.h"
#include "task/groups.h"
#include "task/shop.h"

namespace fewshop {
namespace {

using testing::dataset;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::one_task;
using testing::Row;
using testing::shop_scenario;
using testing::whole_task;

using Rows = std::vector<int32_t>;

Rows range(int begin, int end) {
  Rows rows(end - begin);
  std::iota(rows.begin(), rows.end(), begin);
  return rows;
}

/// A task of rows in time order with episodes as `lines` of [episode] say.
struct Shop {
  Scenario scenario;
  Dataset data;
  TaskRows task;

  Shop(const std::string& lines, const std::vector<Row>& rows, const std::string& problem = "rating")
      : scenario(shop_scenario("[episode]\n" + lines, true, problem)),
        data(dataset(rows, scenario)),
        task(whole_task(data)) {}

  std::optional<Episode> at(int k) const { return episode_at(data, scenario, task, {k, 0}); }
  std::optional<Episode> share(double share) const { return episode_at(data, scenario, task, {0, share}); }
  std::optional<Episode> headline() const { return headline_episode(data, scenario, task); }
};

TEST(EpisodeTest, ANumberOfQueryRowsAreTheLastOnesAtEverySize) {
  const Shop shop("query = 4\n", one_task(10));
  for (const int k : {0, 1, 6}) {
    EXPECT_EQ(shop.at(k)->support, range(0, k));
    EXPECT_EQ(shop.at(k)->query, range(6, 10));
  }
  EXPECT_FALSE(shop.at(7).has_value());
}

TEST(EpisodeTest, TheRestFollowsTheSupport) {
  const Shop shop("query = 'rest'\n", one_task(10));
  EXPECT_EQ(shop.at(3)->support, range(0, 3));
  EXPECT_EQ(shop.at(3)->query, range(3, 10));
  EXPECT_FALSE(shop.at(10).has_value());
}

TEST(EpisodeTest, QueryAfterKeepsTheQueryInPlace) {
  const Shop shop("query = 'rest'\nquery_after = 5\nshots = [0, 5]\n", one_task(10));
  EXPECT_EQ(shop.at(2)->support, range(0, 2));
  EXPECT_EQ(shop.at(2)->query, range(5, 10));
  EXPECT_EQ(shop.at(5)->support, range(0, 5));
  EXPECT_FALSE(shop.at(6).has_value());
}

TEST(EpisodeTest, NextIsOneGroupBehindTheSupport) {
  auto rows = one_task(6);
  for (int i = 0; i < 6; ++i) rows[i].ties = std::string(1, static_cast<char>('a' + i / 2));
  const Shop shop("query = 'next'\nties = 'ties'\n", rows);
  EXPECT_EQ(shop.at(0)->query, range(0, 2));
  EXPECT_EQ(shop.at(1)->support, range(0, 2));
  EXPECT_EQ(shop.at(1)->query, range(2, 4));
  EXPECT_FALSE(shop.at(3).has_value());
  EXPECT_EQ(shop.headline()->support, range(0, 4));
  EXPECT_EQ(shop.headline()->query, range(4, 6));
}

TEST(EpisodeTest, SharesCountTheGroupsOfTheTask) {
  const Shop shop("query = 'rest'\n", one_task(10));
  EXPECT_EQ(shop.share(0.8)->support, range(0, 8));
  EXPECT_EQ(shop.share(0.55)->support, range(0, 5));
  EXPECT_EQ(Shop("query = 4\n", one_task(10)).share(0.8), std::nullopt);
}

TEST(EpisodeTest, TheHeadlineTakesTheLatestRowsBeforeTheQuery) {
  EXPECT_EQ(Shop("query = 4\nsupport = [0, 3]\n", one_task(10)).headline()->support, range(3, 6));
  EXPECT_EQ(Shop("query = 4\n", one_task(10)).headline()->support, range(0, 6));
  const Shop rest("query = 'rest'\nsupport = [0, 3]\n", one_task(10));
  EXPECT_EQ(rest.headline()->support, range(0, 3));
  EXPECT_EQ(rest.headline()->query, range(3, 10));
  // A task shorter than the upper support keeps one row to ask for.
  EXPECT_EQ(Shop("query = 'rest'\n", one_task(5)).headline()->query, range(4, 5));
  const Shop after("query = 'rest'\nquery_after = 5\nsupport = [0, 3]\nshots = [0]\n", one_task(10));
  EXPECT_EQ(after.headline()->support, range(2, 5));
  EXPECT_EQ(after.headline()->query, range(5, 10));
}

TEST(EpisodeTest, ItemsOfTheSupportAreNoQuestionWhereTheyAreNoAnswer) {
  auto rows = one_task(4);
  rows[3].item = "i0";
  const std::string lines = "query = 2\n[items]\n";
  const Shop exclude(lines + "seen = 'exclude'\n", rows, "ranking"),
      include(lines + "seen = 'include'\n", rows, "ranking");
  EXPECT_EQ(exclude.at(1)->query, range(2, 3));
  EXPECT_EQ(include.at(1)->query, range(2, 4));
  EXPECT_EQ(Shop(lines, rows).at(1)->query, range(2, 4));  // ratings: all are asked for
  for (auto& row : rows) row.item = "i0";
  EXPECT_FALSE(Shop(lines, rows, "ranking").at(1).has_value());
}

TEST(EpisodeTest, RolesFixSupportAndQuery) {
  auto rows = one_task(6);
  for (int i = 0; i < 6; ++i) rows[i].role = i % 2 ? 1 : 2;  // i1 i3 i5 support, i0 i2 i4 query
  const Shop shop("role = 'role'\n", rows);
  EXPECT_EQ(shop.at(2)->support, range(0, 2));
  EXPECT_EQ(shop.at(2)->query, range(3, 6));
  EXPECT_EQ(shop.data.item_ids[shop.data.item[3]], "i0");
  EXPECT_FALSE(shop.at(4).has_value());
  EXPECT_EQ(shop.headline()->support, range(0, 3));
}

TEST(EpisodeTest, ATimeCutAllowsOnlyLaterRowsAsQuery) {
  Shop rest("query = 'rest'\n", one_task(10));
  rest.task.query_from = 6;
  EXPECT_EQ(rest.at(2)->support, range(0, 2));
  EXPECT_EQ(rest.at(2)->query, range(6, 10));
  EXPECT_EQ(rest.at(8)->support, range(0, 8));
  EXPECT_EQ(rest.at(8)->query, range(8, 10));
  Shop count("query = 8\n", one_task(10));
  count.task.query_from = 6;
  EXPECT_EQ(count.headline()->support, range(0, 6));
  EXPECT_EQ(count.headline()->query, range(6, 10));
  Shop next("query = 'next'\n", one_task(10));
  next.task.query_from = 6;
  EXPECT_EQ(next.at(1)->query, range(6, 7));
  next.task.query_from = 10;
  EXPECT_FALSE(next.headline().has_value());
}

TEST(EpisodeTest, ATaskOfOneRowCanOnlyBeAskedWithoutSupport) {
  const Shop shop("query = 1\n", one_task(1));
  EXPECT_THAT(shop.at(0)->support, IsEmpty());
  EXPECT_FALSE(shop.at(1).has_value());
  Random random(1);
  EXPECT_THAT(draw_episode(shop.data, shop.scenario, shop.task, 10, random)->support, IsEmpty());
  const Shop fed("query = 1\nsupport = [1, 5]\n", one_task(1));
  EXPECT_FALSE(draw_episode(fed.data, fed.scenario, fed.task, 10, random).has_value());
}

TEST(ItemCountsTest, CountsRowsOfTheGivenTasks) {
  const auto scenario = shop_scenario("");
  const Dataset data = dataset({{"a", "x"}, {"a", "y"}, {"b", "x"}}, scenario);
  EXPECT_THAT(item_counts(data, {whole_task(data, 0)}), ElementsAre(1, 1));
  EXPECT_THAT(item_counts(data, {whole_task(data, 0), whole_task(data, 1)}), ElementsAre(2, 1));
}

/// Random rows of one task with baskets, repeated items and equal times, under a random way of asking.
Shop random_shop(bool number) {
  std::vector<Row> rows;
  const int count = *rc::gen::inRange(1, 40);
  for (int i = 0; i < count; ++i) {
    const int basket = *rc::gen::inRange(0, 8);
    rows.push_back({"u", "i" + std::to_string(*rc::gen::inRange(0, 12)), 1, basket * 10, "b" + std::to_string(basket)});
  }
  std::string lines = number ? "query = " + std::to_string(*rc::gen::inRange(1, 6)) + "\n"
                             : *rc::gen::element<std::string>("query = 'rest'\n", "query = 'next'\n",
                                                              "query = 'rest'\nquery_after = 3\nshots = [0]\n");
  lines += *rc::gen::element<std::string>("", "ties = 'ties'\n", "ties = 'time'\n");
  lines += *rc::gen::element<std::string>("order = 'time'\n", "order = 'random'\n");
  lines += "support = [0, " + std::to_string(*rc::gen::inRange(1, 20)) + "]\n";
  return Shop(lines, rows, number ? "rating" : *rc::gen::element<std::string>("rating", "ranking"));
}

void check_episode(const Shop& shop, const Episode& episode) {
  RC_ASSERT(!episode.query.empty());
  RC_ASSERT(std::is_sorted(episode.support.begin(), episode.support.end()));
  RC_ASSERT(std::is_sorted(episode.query.begin(), episode.query.end()));
  std::set<int32_t> all(episode.support.begin(), episode.support.end()), groups;
  all.insert(episode.query.begin(), episode.query.end());
  RC_ASSERT(all.size() == episode.support.size() + episode.query.size());
  for (const int32_t row : episode.support) groups.insert(shop.data.group[row]);
  for (const int32_t row : episode.query) RC_ASSERT(!groups.contains(shop.data.group[row]));
  if (!shop.scenario.episode.by_time) return;
  for (const int32_t s : episode.support)
    for (const int32_t q : episode.query) RC_ASSERT(shop.data.time[s] <= shop.data.time[q]);
}

TEST(EpisodeProperty, SupportAndQueryAreDisjointNeverPartAGroupAndFollowTime) {
  expect_property("episodes", [] {
    const Shop shop = random_shop(*rc::gen::arbitrary<bool>());
    for (int k = 0; k <= 10; ++k)
      if (const auto episode = shop.at(k)) check_episode(shop, *episode);
    if (const auto episode = shop.share(0.8)) check_episode(shop, *episode);
    if (const auto episode = shop.headline()) check_episode(shop, *episode);
  });
}

TEST(EpisodeProperty, WithANumberTheQueryIsTheSameAtEverySize) {
  expect_property("query", [] {
    const Shop shop = random_shop(true);
    const auto headline = shop.headline();
    for (int k = 0; k <= 10; ++k)
      if (const auto episode = shop.at(k)) RC_ASSERT(episode->query == headline->query);
  });
}

TEST(EpisodeProperty, DrawsKeepTheRulesAndFollowTheSeed) {
  expect_property("draws", [] {
    const Shop shop = random_shop(*rc::gen::arbitrary<bool>());
    const auto seed = *rc::gen::arbitrary<uint64_t>();
    const int max_query = *rc::gen::inRange(1, 12);
    Random a(seed), b(seed);
    for (int i = 0; i < 5; ++i) {
      const auto episode = draw_episode(shop.data, shop.scenario, shop.task, max_query, a);
      const auto again = draw_episode(shop.data, shop.scenario, shop.task, max_query, b);
      RC_ASSERT(episode.has_value() == again.has_value());
      if (!episode) continue;
      RC_ASSERT(episode->support == again->support && episode->query == again->query);
      check_episode(shop, *episode);
      RC_ASSERT(episode->query.size() <= max_query);
      RC_ASSERT(group_count(shop.data, {0, episode->support}) <= shop.scenario.episode.support_max);
    }
  });
}

TEST(DrawEpisodeTest, DrawsEverySizeOfTheRange) {
  const Shop shop("query = 2\nsupport = [1, 4]\norder = 'random'\n", one_task(20));
  Random random(3);
  std::set<size_t> sizes, first_rows;
  for (int i = 0; i < 200; ++i) {
    const auto episode = draw_episode(shop.data, shop.scenario, shop.task, 10, random);
    sizes.insert(episode->support.size());
    first_rows.insert(episode->support[0]);
    EXPECT_EQ(episode->query.size(), 2);
  }
  EXPECT_THAT(sizes, ElementsAre(1, 2, 3, 4));
  EXPECT_GT(first_rows.size(), 10);
}

}  // namespace
}  // namespace fewshop
