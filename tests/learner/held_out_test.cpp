#include "learner/held_out.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "core/random.h"
#include "task/shop.h"

namespace fewshop {
namespace {

using testing::dataset;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::IsEmpty;
using testing::one_task;
using testing::Row;
using testing::shop_scenario;
using testing::whole_task;

using Rows = std::vector<int32_t>;
using Sizes = std::vector<int>;

Rows range(int begin, int end) {
  Rows rows(end - begin);
  std::iota(rows.begin(), rows.end(), begin);
  return rows;
}

struct Shop {
  Scenario scenario;
  Dataset data;
  TaskSet tasks;

  Shop(const std::string& lines, const std::vector<Row>& rows, const std::string& problem = "rating")
      : scenario(shop_scenario("[episode]\n" + lines, true, problem)), data(dataset(rows, scenario)) {
    for (int32_t t = 0; t < data.tasks(); ++t) tasks.push_back(whole_task(data, t));
  }

  int32_t item(const std::string& id) const {
    return static_cast<int32_t>(std::find(data.item_ids.begin(), data.item_ids.end(), id) - data.item_ids.begin());
  }
  std::vector<uint8_t> hide(const std::set<std::string>& ids) const {
    std::vector<uint8_t> hidden(data.items(), 0);
    for (const auto& id : ids) hidden[item(id)] = 1;
    return hidden;
  }
  Sizes sizes() const { return held_out_sizes(data, scenario, tasks); }
  std::vector<HeldOutEpisode> episodes(const Sizes& sizes, const std::vector<uint8_t>* hidden = nullptr) const {
    return held_out_episodes(data, scenario, tasks, sizes, hidden);
  }
};

/// The episodes of one way in order: support and query.
std::vector<std::pair<Rows, Rows>> of_way(const std::vector<HeldOutEpisode>& episodes, Way way) {
  std::vector<std::pair<Rows, Rows>> out;
  for (const auto& e : episodes)
    if (e.way == way) out.emplace_back(e.episode.support, e.episode.query);
  return out;
}

// ---- sizes

TEST(HeldOutSizesTest, AreAGridUpToTheLargestSupportAndTheShots) {
  EXPECT_THAT(Shop("support = [0, 10]\nshots = [0, 4, 7]\n", one_task(30)).sizes(),
              ElementsAre(0, 1, 2, 3, 4, 5, 7, 8));
  EXPECT_THAT(Shop("support = [0, 100]\nshots = [5]\n", one_task(3)).sizes(),
              ElementsAre(0, 1, 2, 3, 5, 8, 13, 20, 30, 50, 80));
  EXPECT_THAT(Shop("support = [0, 5]\nshots = [50]\n", one_task(3)).sizes(), ElementsAre(0, 1, 2, 3, 5, 50));
}

TEST(HeldOutSizesTest, AShareReachesAsFarAsItDoesInTheLargestTask) {
  const std::string lines = "support = [0, 4]\nshots = ['50%']\nquery = 'rest'\n";
  EXPECT_THAT(Shop(lines, one_task(40)).sizes(), ElementsAre(0, 1, 2, 3, 5, 8, 13, 20));
  auto rows = one_task(40);
  for (int i = 0; i < 40; ++i) rows[i].ties = std::to_string(100 + i / 2);
  EXPECT_THAT(Shop(lines + "ties = 'ties'\n", rows).sizes(), ElementsAre(0, 1, 2, 3, 5, 8)) << "groups, not rows";
}

// ---- episodes

TEST(HeldOutEpisodesTest, WithoutHiddenItemsTheyAreNaturalAtEverySizeAndAtTheHeadline) {
  const Shop shop("query = 2\n", one_task(10));
  const auto episodes = shop.episodes({0, 3, 9});
  EXPECT_THAT(of_way(episodes, Way::kNatural),
              ElementsAre(std::pair(Rows{}, Rows{8, 9}), std::pair(Rows{0, 1, 2}, Rows{8, 9}),
                          std::pair(range(0, 8), Rows{8, 9})));
  EXPECT_EQ(episodes.size(), 3);
  EXPECT_EQ(episodes[1].support, 3);
  EXPECT_EQ(episodes[2].support, 8);
}

TEST(HeldOutEpisodesTest, HiddenItemsGiveThreeWays) {
  const Shop shop("query = 2\n", one_task(10));
  const auto hidden = shop.hide({"i2", "i5", "i8", "i9"});
  const auto episodes = shop.episodes({0, 1, 3}, &hidden);
  EXPECT_THAT(of_way(episodes, Way::kNatural),
              ElementsAre(std::pair(Rows{}, Rows{6, 7}), std::pair(Rows{0}, Rows{6, 7}),
                          std::pair(Rows{0, 1, 3}, Rows{6, 7}), std::pair(Rows{0, 1, 3, 4}, Rows{6, 7})));
  EXPECT_THAT(
      of_way(episodes, Way::kNewQuery),
      ElementsAre(std::pair(Rows{}, Rows{8, 9}), std::pair(Rows{0}, Rows{8, 9}), std::pair(Rows{0, 1, 3}, Rows{8, 9})));
  // Four hidden rows leave two for the support.
  EXPECT_THAT(of_way(episodes, Way::kNewOnly),
              ElementsAre(std::pair(Rows{}, Rows{8, 9}), std::pair(Rows{2}, Rows{8, 9})));
}

TEST(HeldOutEpisodesTest, ByTimeAHiddenItemBeforeTheSupportIsNoQuestion) {
  const auto hidden_first = [](const std::string& order) {
    const Shop shop("query = 2\norder = '" + order + "'\n", one_task(8));
    // The two rows that come first in the order of the episode.
    const auto hidden = shop.hide({shop.data.item_ids[shop.data.item[0]], shop.data.item_ids[shop.data.item[1]]});
    return of_way(shop.episodes({0, 1, 3}, &hidden), Way::kNewQuery);
  };
  EXPECT_THAT(hidden_first("time"), ElementsAre(std::pair(Rows{}, Rows{0, 1})));
  EXPECT_EQ(hidden_first("random").size(), 3) << "without an order in time no row is late";
}

TEST(HeldOutEpisodesTest, RowsAdmitsByAllRowsAndToNewItemsOnlyByHiddenRows) {
  const Shop shop("query = 2\nrows = [3, 6]\n", one_task(10));
  const auto hidden = shop.hide({"i1", "i3", "i5", "i7", "i9"});
  const auto episodes = shop.episodes({1}, &hidden);
  EXPECT_THAT(of_way(episodes, Way::kNatural), IsEmpty()) << "ten rows are too many";
  EXPECT_THAT(of_way(episodes, Way::kNewQuery), IsEmpty());
  EXPECT_THAT(of_way(episodes, Way::kNewOnly), ElementsAre(std::pair(Rows{1}, Rows{7, 9}))) << "five are not";
  const auto many = shop.hide({"i1", "i2", "i3", "i5", "i7", "i8", "i9"});
  EXPECT_THAT(shop.episodes({1}, &many), IsEmpty());
  EXPECT_THAT(Shop("query = 2\nrows = [11, 0]\n", one_task(10)).episodes({0, 1}), IsEmpty()) << "too few";
}

TEST(HeldOutEpisodesTest, ALongRatingQueryLosesRowsButNotItsOrder) {
  const Shop shop("query = 'rest'\nsupport = [0, 5]\n", one_task(1000));
  for (const auto& e : shop.episodes({0, 5})) {
    const auto& query = e.episode.query;
    EXPECT_LE(query.size(), 200);
    EXPECT_GE(query.size(), 50);
    EXPECT_TRUE(std::is_sorted(query.begin(), query.end()));
    EXPECT_EQ(std::set(query.begin(), query.end()).size(), query.size());
    EXPECT_GE(query.front(), e.episode.support.size());
  }
}

/// Tasks of baskets with several rows, some items hidden.
Shop random_shop(uint64_t seed, const std::string& lines, bool ties) {
  Random random(seed);
  std::vector<Row> rows;
  for (int t = 0; t < 12; ++t) {
    const int baskets = 1 + static_cast<int>(random.below(14));
    for (int b = 0; b < baskets; ++b)
      for (int r = 0; r < (ties ? 1 + static_cast<int>(random.below(4)) : 1); ++r)
        rows.push_back({"u" + std::to_string(t), "i" + std::to_string(random.below(40)),
                        static_cast<float>(random.below(5)), 10 * b, std::to_string(1000 + b)});
  }
  return Shop(lines + (ties ? "ties = 'ties'\n" : ""), rows);
}

TEST(HeldOutEpisodesTest, EveryEpisodeKeepsToItsWayAndToTheOrder) {
  int ways[3] = {0, 0, 0};
  for (const bool by_time : {true, false})
    for (const std::string query : {"query = 3\n", "query = 'rest'\n", "query = 'next'\n"})
      for (uint64_t seed = 0; seed < 10; ++seed) {
        const bool ties = by_time && seed % 2;
        const Shop shop =
            random_shop(seed, query + "rows = [2, 0]\norder = '" + (by_time ? "time" : "random") + "'\n", ties);
        Random random(seed + 100);
        std::vector<uint8_t> hidden(shop.data.items());
        for (auto& h : hidden) h = random.uniform() < 0.3;
        for (const auto& e : shop.episodes({0, 1, 2, 5}, &hidden)) {
          ++ways[static_cast<int>(e.way)];
          const auto& [task, support, asked] = e.episode;
          ASSERT_FALSE(asked.empty());
          std::set<int32_t> support_groups, query_groups;
          for (const int32_t r : support) {
            EXPECT_EQ(shop.data.task[r], task);
            EXPECT_EQ(hidden[shop.data.item[r]] != 0, e.way == Way::kNewOnly);
            support_groups.insert(shop.data.group[r]);
          }
          for (const int32_t r : asked) {
            EXPECT_EQ(shop.data.task[r], task);
            EXPECT_EQ(hidden[shop.data.item[r]] != 0, e.way != Way::kNatural);
            query_groups.insert(shop.data.group[r]);
          }
          EXPECT_EQ(e.support, static_cast<int>(support_groups.size()));
          if (by_time && !support.empty()) {
            EXPECT_LT(*support_groups.rbegin(), *query_groups.begin());
          }
          for (const int32_t r : support) EXPECT_EQ(std::count(asked.begin(), asked.end(), r), 0);
          // Whole baskets: what of a basket may be in the support is in it whole, and the same for the query.
          for (int64_t r = shop.data.task_begin[task]; r < shop.data.task_begin[task + 1]; ++r) {
            const bool is_hidden = hidden[shop.data.item[r]];
            const bool in_support = std::count(support.begin(), support.end(), r);
            const bool in_query = std::count(asked.begin(), asked.end(), r);
            if (is_hidden == (e.way == Way::kNewOnly)) {
              EXPECT_EQ(in_support, support_groups.count(shop.data.group[r]) == 1);
            }
            if (is_hidden == (e.way != Way::kNatural)) {
              EXPECT_EQ(in_query, query_groups.count(shop.data.group[r]) == 1);
            }
          }
        }
      }
  for (const int count : ways) EXPECT_GT(count, 100);
}

// ---- samples

/// Scores every item by a table, whatever the support.
class TableMember final : public Member {
 public:
  explicit TableMember(std::vector<float> table, float variance = 0) : table_(std::move(table)), variance_(variance) {}
  std::string_view name() const override { return "table"; }
  std::unique_ptr<Workspace> workspace() const override { return std::make_unique<Workspace>(); }
  void adapt(const TaskView&, Workspace&) const override {}
  void score(const Workspace&, std::span<const int32_t> items, std::span<float> score,
             std::span<float> variance) const override {
    for (size_t i = 0; i < items.size(); ++i) score[i] = table_[items[i]];
    std::fill(variance.begin(), variance.end(), variance_);
  }
  void score_all(const Workspace&, std::span<float> score) const override {
    std::copy(table_.begin(), table_.end(), score.begin());
  }
  double explain(const Workspace&, int32_t item, std::span<double> contribution) const override {
    std::fill(contribution.begin(), contribution.end(), 0.0);
    return table_[item];
  }
  void save(TensorFile&) const override {}

 private:
  std::vector<float> table_;
  float variance_;
};

TEST(SamplesTest, ARatingSampleHoldsWhatWasAskedAndWhatTheMembersSaid) {
  const Shop shop("query = 2\n", one_task(5));
  const TableMember first({0, 1, 2, 3, 4}), learner({10, 11, 12, 13, 14}, 0.5F);
  const std::vector<int32_t> counts{0, 0, 0, 30, 3};
  const std::vector<HeldOutEpisode> episodes{{{0, {0}, {3, 4}}, Way::kNewQuery, 1}};
  const auto samples = collect_samples(shop.data, shop.scenario, {{&first, &learner}, 1}, counts, episodes, 0, 1);
  ASSERT_EQ(samples.size(), 1);
  const Sample& s = samples[0];
  EXPECT_EQ(s.task, 0);
  EXPECT_EQ(s.support, 1);
  EXPECT_EQ(s.way, Way::kNewQuery);
  EXPECT_THAT(s.cell, ElementsAre(3, 1));
  EXPECT_THAT(s.target, ElementsAre(3, 4));
  EXPECT_THAT(s.score, ElementsAre(3, 4, 13, 14));
  EXPECT_THAT(s.variance, ElementsAre(0.5F, 0.5F));
  EXPECT_THAT(s.log_weight, IsEmpty());
}

/// A ranking shop of `items` items: one task that has the first ones.
Shop ranking_shop(int items, const std::string& seen) {
  std::vector<Row> rows = one_task(items);
  for (auto& row : rows) row.task = row.item == "i0" || row.time <= 6 ? "u" : "v";
  return Shop("query = 2\n[items]\nseen = '" + seen + "'\n", rows, "ranking");
}

TEST(SamplesTest, ARankingSampleHasAllPositivesTheBestOfEveryMemberAndDrawsThatStandForTheRest) {
  constexpr int kItems = 1500;
  const Shop shop = ranking_shop(kItems, "exclude");
  ASSERT_EQ(shop.data.items(), kItems);
  std::vector<float> up(kItems), down(kItems);
  for (int i = 0; i < kItems; ++i) up[i] = static_cast<float>(i), down[i] = static_cast<float>(-i);
  const TableMember first(up), second(down);
  std::vector<int32_t> counts(kItems, 10);
  counts[700] = 0;
  // Rows 4 and 700 are bought, 700 twice; 0 and 3 are in the support and no answers.
  const std::vector<HeldOutEpisode> episodes{{{0, {0, 3}, {4, 700, 700}}, Way::kNatural, 2}};
  const auto collect = [&](uint64_t seed, int threads) {
    return collect_samples(shop.data, shop.scenario, {{&first, &second}, 0}, counts, episodes, seed, threads)[0];
  };
  const Sample s = collect(1, 1);
  const size_t n = s.target.size();
  std::map<int, size_t> place;  // item -> position; the first member's score is the item
  for (size_t i = 0; i < n; ++i) place[static_cast<int>(s.score[i])] = i;
  ASSERT_EQ(place.size(), n) << "no candidate twice";
  EXPECT_FALSE(place.count(0) || place.count(3)) << "what is in the support is no candidate";
  // 200 best each and the positives between them: 1300..1499; 1, 2, 4..201 (of which 4 is a positive); 700.
  for (int item = kItems - 200; item < kItems; ++item) EXPECT_TRUE(place.count(item)) << item;
  for (int item = 1; item < 202; ++item) EXPECT_TRUE(item == 3 || place.count(item)) << item;
  ASSERT_TRUE(place.count(700));
  EXPECT_EQ(n, 200 + 200 + 1 + 200);
  double positives = 0, all = 0, certain = 0;
  for (const auto& [item, i] : place) {
    EXPECT_EQ(s.target[i], item == 4 || item == 700 ? 1 : 0) << item;
    EXPECT_EQ(s.score[n + i], static_cast<float>(-item));
    EXPECT_EQ(s.cell[i], item == 700 ? 0 : 2) << item;
    positives += s.target[i];
    all += std::exp(static_cast<double>(s.log_weight[i]));
    certain += s.log_weight[i] == 0;
  }
  EXPECT_EQ(positives, 2);
  EXPECT_EQ(certain, 401);
  EXPECT_NEAR(all, kItems - 2, 1e-3) << "together they stand for all that may be an answer";
  EXPECT_EQ(collect(1, 2).score, s.score);
  EXPECT_NE(collect(2, 1).score, s.score);
}

TEST(SamplesTest, ASmallShopIsTakenWhole) {
  const Shop shop = ranking_shop(30, "include");
  std::vector<float> table(30);
  std::iota(table.begin(), table.end(), 0.0F);
  const TableMember member(table);
  const std::vector<HeldOutEpisode> episodes{{{0, {0}, {0, 5}}, Way::kNatural, 1}};
  const Sample s =
      collect_samples(shop.data, shop.scenario, {{&member}, -1}, std::vector<int32_t>(30, 1), episodes, 0, 1)[0];
  EXPECT_THAT(s.score, ElementsAreArray(table));
  EXPECT_THAT(s.log_weight, ElementsAreArray(std::vector<float>(30, 0)));
  EXPECT_EQ(std::accumulate(s.target.begin(), s.target.end(), 0.0F), 2);
  EXPECT_EQ(s.target[0], 1) << "seen = include: what was bought may be bought again";
}

// ---- judging

TEST(JudgeTest, ARankingIsJudgedByTheRanksAmongWhatMayBeAnAnswer) {
  const Shop shop = ranking_shop(8, "exclude");
  const Episode episode{0, {0, 1}, {2, 4, 4}};
  //                           0     1    2    3    4    5   6   7
  const std::vector<float> score{100, 90, 0.5F, 3, 2, 0.4F, 0.3F, 0.2F};
  // Without 0 and 1: 3 first, 4 second, 2 third.
  const auto value = [&](const std::string& name) {
    const Metric metric = parse_metric(name, Problem::kRanking);
    return metric_value(metric, judge_ranking(metric, shop.data, shop.scenario, episode, score)[kItemCells]);
  };
  EXPECT_NEAR(value("ndcg@10"), (1 / std::log2(3) + 1 / std::log2(4)) / (1 + 1 / std::log2(3)), 1e-12);
  EXPECT_NEAR(value("mrr@10"), 1 / 2.0, 1e-12);
  EXPECT_EQ(value("hit@1"), 0);
  EXPECT_EQ(value("hit@2"), 1);
  EXPECT_NEAR(value("recall@2"), 1 / 2.0, 1e-12);
}

TEST(JudgeTest, ARatingErrorIsSplitByTheCellOfTheItem) {
  Sample sample;
  sample.task = 3;
  sample.support = 5;
  sample.cell = {0, 4, 4};
  sample.target = {1, 2, 3};
  const auto score_of = [](const Sample&, int method, std::span<float> out) {
    for (auto& x : out) x = method == 0 ? 0.0F : 2.0F;
  };
  const Metric mae = parse_metric("mae", Problem::kRating);
  const auto judged = judge_ratings(mae, 2, {sample}, 2, score_of, 1);
  ASSERT_EQ(judged.size(), 1);
  EXPECT_EQ(judged[0].task, 3);
  EXPECT_EQ(judged[0].support, 5);
  const auto& zero = judged[0].methods[0];
  const auto& two = judged[0].methods[1];
  EXPECT_DOUBLE_EQ(metric_value(mae, zero[kItemCells]), (1 + 2 + 3) / 3.0);
  EXPECT_DOUBLE_EQ(metric_value(mae, zero[0]), 1);
  EXPECT_DOUBLE_EQ(metric_value(mae, zero[4]), (2 + 3) / 2.0);
  EXPECT_EQ(zero[2].denominator, 0) << "no item of this cell";
  EXPECT_DOUBLE_EQ(metric_value(mae, two[kItemCells]), (1 + 0 + 1) / 3.0);
}

TEST(MemberLossTest, IsTheMeanOverWaysOfTheMeanOverSizes) {
  const Shop shop("query = 1\n", one_task(12));
  // Row r has target r; an item's score is off by the number given here.
  const std::vector<float> off{0, 0, 1, 3, 4, 10, 0, 0, 0, 0, 0, 0};
  std::vector<float> table(12);
  for (int i = 0; i < 12; ++i) table[i] = static_cast<float>(i) + off[i];
  const TableMember member(table);
  const Metric mae = parse_metric("mae", Problem::kRating);
  const auto loss = [&](const std::vector<HeldOutEpisode>& episodes, const Metric& metric) {
    return member_loss(shop.data, shop.scenario, member, metric, 5, episodes, 1);
  };
  const auto asks = [](Way way, int support, int32_t row) { return HeldOutEpisode{{0, {}, {row}}, way, support}; };
  // Natural: (1 + 3) / 2 at size 0 and 4 at size 5, so 3; only new: 10.
  EXPECT_NEAR(
      loss({asks(Way::kNatural, 0, 2), asks(Way::kNatural, 0, 3), asks(Way::kNatural, 5, 4), asks(Way::kNewOnly, 0, 5)},
           mae),
      (((1 + 3) / 2.0 + 4) / 2 + 10) / 2, 1e-6);
  // Sixteen exact answers at size 0; the two sizes of one episode each are one group: (10 + 0) / 2.
  std::vector<HeldOutEpisode> episodes(16, asks(Way::kNatural, 0, 0));
  episodes.push_back(asks(Way::kNatural, 1, 5));
  episodes.push_back(asks(Way::kNatural, 2, 0));
  EXPECT_NEAR(loss(episodes, mae), (0 + (10 + 0) / 2.0) / 2, 1e-6);
}

TEST(MemberLossTest, WhereLargerIsBetterItIsTurned) {
  const Shop shop = ranking_shop(8, "exclude");
  const TableMember member({8, 7, 6, 5, 4, 3, 2, 1});
  const Metric hit = parse_metric("hit@1", Problem::kRanking);
  const auto loss = [&](int32_t query_row) {
    return member_loss(shop.data, shop.scenario, member, hit, 0, {{{0, {0}, {query_row}}, Way::kNatural, 1}}, 1);
  };
  EXPECT_EQ(loss(1), -1) << "item 0 is in the support, so item 1 is first";
  EXPECT_EQ(loss(2), 0);
}

TEST(MiddleTargetTest, LiesBetweenTheSmallestAndTheLargest) {
  const Shop shop("query = 1\n", one_task(5));  // targets 0..4
  EXPECT_EQ(middle_target(shop.data, shop.tasks), 2);
  EXPECT_EQ(middle_target(shop.data, {{0, {1, 2}}}), 1.5F);
  EXPECT_EQ(middle_target(shop.data, {}), 0);
}

}  // namespace
}  // namespace fewshop
