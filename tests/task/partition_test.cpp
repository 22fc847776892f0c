#include "task/partition.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "core/error.h"
#include "core/property.h"
#include "task/groups.h"
#include "task/shop.h"

namespace fewshop {
namespace {

using ::testing::Contains;
using testing::dataset;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::many_tasks;
using testing::Row;
using testing::shop_scenario;
using ::testing::UnorderedElementsAre;

std::set<std::string> values(const Dataset& data, const TaskSet& tasks) {
  std::set<std::string> ids;
  for (const auto& task : tasks) ids.insert(data.task_ids[task.task]);
  return ids;
}

struct Parts {
  Scenario scenario;
  Dataset data;
  Partition partition;

  Parts(const std::vector<Row>& rows, const Scenario& s)
      : scenario(s), data(dataset(rows, s)), partition(make_partition(data, s)) {}
  Parts(const std::vector<Row>& rows, const std::string& lines, bool time = true)
      : Parts(rows, shop_scenario(lines, time)) {}

  std::set<std::string> train() const { return values(data, partition.train); }
  std::set<std::string> valid() const { return values(data, partition.valid); }
  std::set<std::string> test(int cell = 0) const { return values(data, partition.test.at(cell).tasks); }
};

TEST(PartitionTest, SharesCoverEveryTaskOnceWhateverTheOrderOfTheTable) {
  expect_property("shares", [] {
    auto rows = many_tasks(*rc::gen::inRange(1, 60), 3);
    const auto s =
        shop_scenario("[episode]\nrows = 1\n[split]\nseed = " + std::to_string(*rc::gen::inRange(0, 5)) + "\n");
    const Parts parts(rows, s);
    std::set<std::string> all = parts.train();
    size_t sum = all.size();
    for (const auto& more : {parts.valid(), parts.test()}) {
      sum += more.size();
      all.insert(more.begin(), more.end());
    }
    RC_ASSERT(all.size() == sum);
    RC_ASSERT(all.size() == parts.data.task_ids.size());
    Random random(1);
    random.shuffle(rows);
    RC_ASSERT(Parts(rows, s).test() == parts.test());
  });
}

TEST(PartitionTest, SharesHaveTheirSizes) {
  const Parts parts(many_tasks(100, 3), "[episode]\nrows = 1\n[split]\ntrain = 0.7\nvalid = 0.1\ntest = 0.2\n");
  EXPECT_EQ(parts.train().size(), 70);
  EXPECT_EQ(parts.valid().size(), 10);
  EXPECT_EQ(parts.test().size(), 20);
  const Parts less(many_tasks(100, 3), "[split]\ntrain = 0.5\nvalid = 0.1\ntest = 0.1\n");
  EXPECT_EQ(less.train().size(), 50);
  EXPECT_THAT(less.partition.notes, Contains(HasSubstr("30 tasks unused")));
}

TEST(PartitionTest, OneTaskIsTrainedOnAndNothingIsTested) {
  const Parts parts(many_tasks(1, 30), "");
  EXPECT_EQ(parts.train().size(), 1);
  EXPECT_THAT(parts.valid(), IsEmpty());
  EXPECT_THAT(parts.test(), IsEmpty());
}

TEST(PartitionTest, RowsAdmitTestAndValidationTasksOnly) {
  auto rows = many_tasks(50, 5);
  for (const auto& row : testing::one_task(30)) rows.push_back(row);
  const Parts parts(rows, "[episode]\nquery = 1\nrows = [6, 20]\n");
  EXPECT_GT(parts.train().size(), 30);
  EXPECT_THAT(parts.valid(), IsEmpty());
  EXPECT_THAT(parts.test(), IsEmpty());
  EXPECT_THAT(parts.partition.notes, Contains(HasSubstr("test tasks left out: fewer than 6 rows")));
  EXPECT_GT(parts.partition.valid_last.size(), 0);
}

TEST(PartitionTest, EveryTaskIsTestedInOneFold) {
  for (const std::string folds : {"5", "'each'"}) {
    const int count = folds == "5" ? 5 : 23;
    std::multiset<std::string> tested;
    for (int fold = 0; fold < count; ++fold) {
      const Parts parts(many_tasks(23, 3), "[episode]\nrows = 1\n[split]\nfolds = " + folds +
                                               "\nfold = " + std::to_string(fold) + "\nvalid = 0.2\n");
      const auto test = parts.test(), train = parts.train();
      tested.insert(test.begin(), test.end());
      for (const auto& id : test) EXPECT_FALSE(train.contains(id) || parts.valid().contains(id));
      EXPECT_EQ(train.size() + parts.valid().size() + test.size(), 23);
    }
    EXPECT_EQ(tested.size(), 23);
    EXPECT_EQ(std::set<std::string>(tested.begin(), tested.end()).size(), 23);
  }
}

std::vector<Row> cells() {
  std::vector<Row> rows;
  for (int u = 0; u < 20; ++u)
    for (const char* cell : {"warm", "cold", "late"})
      for (int i = 0; i < 3; ++i)
        rows.push_back({"u" + std::to_string(u), "i" + std::to_string(i), 1, i + 1, "", cell});
  return rows;
}

TEST(PartitionTest, AColumnListsItsValues) {
  const std::string lines = "[episode]\nrows = 1\n[split]\ncolumn = 'split'\ntrain = ['warm']\n";
  const Parts parts(cells(), lines + "test = ['late', 'cold']\nvalid = 0.25\n");
  EXPECT_EQ(parts.train().size(), 15);
  EXPECT_EQ(parts.valid().size(), 5);
  ASSERT_EQ(parts.partition.test.size(), 2);
  EXPECT_EQ(parts.partition.test[0].name, "late");
  EXPECT_EQ(parts.test(0).size(), 20);
  for (const auto& task : parts.partition.test[1].tasks) EXPECT_EQ(parts.data.task_split[task.task], "cold");

  const Parts listed(cells(), lines + "test = ['late']\nvalid = ['cold']\n");
  EXPECT_EQ(listed.train().size(), 20);
  EXPECT_EQ(listed.valid().size(), 20);
  const Parts some(cells(), lines + "test = ['late']\n");
  EXPECT_THAT(some.partition.notes, Contains(HasSubstr("20 tasks unused")));
  try {
    Parts(cells(), lines + "test = ['tset']\n");
    FAIL();
  } catch (const InvalidInput& error) {
    EXPECT_THAT(error.what(), HasSubstr("no row has 'tset' in column 'split'; its values: cold, late, warm"));
  }
}

/// Times of rows in days from 2011-01-01.
Micros day(int days) { return *parse_time("2011-01-01") + days * kDay; }

constexpr const char* kCuts = "time = { valid = '2011-01-11', test = '2011-01-21' }\n";

TEST(PartitionTest, TimeCutsAloneAssignTasksByTheirFirstRow) {
  std::vector<Row> rows;
  for (const auto& [task, first] : {std::pair{"a", 0}, {"b", 9}, {"c", 10}, {"d", 20}})
    for (int i = 0; i < 15; ++i) rows.push_back({task, "i", 1, day(first + i)});
  const Parts parts(rows, std::string("[episode]\nquery = 1\n[split]\n") + kCuts);
  EXPECT_THAT(parts.train(), UnorderedElementsAre("a", "b"));
  EXPECT_THAT(parts.valid(), ElementsAre("c"));
  EXPECT_THAT(parts.test(), ElementsAre("d"));
  // Training ends at the first cut, the last fit and validation at the second.
  EXPECT_EQ(parts.partition.train[0].rows.size(), 10);
  EXPECT_EQ(parts.partition.train[1].rows.size(), 1);
  EXPECT_EQ(parts.partition.train_last[0].rows.size(), 15);
  EXPECT_EQ(parts.partition.train_last[1].rows.size(), 11);
  EXPECT_EQ(parts.partition.valid[0].rows.size(), 10);
  EXPECT_EQ(parts.partition.valid_last[0].rows.size(), 10);
  EXPECT_EQ(parts.partition.test[0].tasks[0].rows.size(), 15);
  EXPECT_EQ(parts.partition.test[0].tasks[0].query_from, 0);
}

TEST(PartitionTest, TimeCutsBesideSharesEndTheRowsAndBeginTheQuery) {
  std::vector<Row> rows;
  for (int t = 0; t < 40; ++t)
    for (int i = 0; i < 30; ++i) rows.push_back({"u" + std::to_string(t), "i", 1, day(i)});
  const Parts parts(
      rows, std::string("[episode]\nquery = 'rest'\n[split]\ntrain = 0.5\nvalid = 0.25\ntest = 0.25\n") + kCuts);
  EXPECT_EQ(parts.train().size(), 20);
  for (const auto& task : parts.partition.train)
    for (const int32_t r : task.rows) EXPECT_LT(parts.data.time[r], day(10));
  for (const auto& task : parts.partition.valid) {
    EXPECT_EQ(task.rows.size(), 20);
    EXPECT_EQ(task.query_from, 10);
  }
  ASSERT_EQ(parts.test().size(), 10);
  for (const auto& task : parts.partition.test[0].tasks) {
    EXPECT_EQ(task.rows.size(), 30);
    EXPECT_EQ(task.query_from, 20);
  }
}

TEST(PartitionTest, TimeCutsBesideRolesLeaveTheQueryAfterTheCut) {
  std::vector<Row> rows;
  for (int t = 0; t < 40; ++t) {
    const std::string task = "u" + std::to_string(t), cell = t < 20 ? "old" : "new";
    // Support on days 0, 5 and 25, query on days 8, 18 and 22: after the cut of day 20 one row.
    for (const auto& [at, role] : {std::pair(0, 1), {5, 1}, {25, 1}, {8, 2}, {18, 2}, {22, 2}})
      if (t != 30 || at != 22) rows.push_back({task, "i" + std::to_string(at), 1, day(at), "", cell, role});
  }
  const Parts parts(rows, std::string("[episode]\nrole = 'role'\n[split]\ncolumn = 'split'\ntrain = ['old']\n"
                                      "test = ['new']\n") +
                              kCuts);
  EXPECT_EQ(parts.test().size(), 19) << "u30 has no query row after the cut";
  for (const auto& task : parts.partition.test[0].tasks) {
    const auto episode = headline_episode(parts.data, parts.scenario, task);
    ASSERT_TRUE(episode.has_value());
    ASSERT_EQ(episode->query.size(), 1);
    EXPECT_EQ(parts.data.time[episode->query[0]], day(22));
    EXPECT_EQ(episode_at(parts.data, parts.scenario, task, Shot{2, 0})->query, episode->query);
  }
}

TEST(PartitionTest, EveryTestQueryStandsAfterTheCutWhateverItIs) {
  std::vector<Row> rows;
  for (int t = 0; t < 40; ++t)
    for (int i = 0; i < 30; ++i)
      rows.push_back({"u" + std::to_string(t), "i" + std::to_string(i), 1, day(i), "", t % 2 ? "b" : "a"});
  for (const char* split :
       {"train = 0.5\ntest = 0.4\n", "folds = 4\n", "column = 'split'\ntrain = ['a']\ntest = ['b']\n"})
    for (const char* query : {"query = 3", "query = 'rest'", "query = 'rest'\nquery_after = 5", "query = 'next'"}) {
      const Parts parts(rows, std::string("[episode]\n") + query + "\nshots = [0, 1, 5]\n[split]\n" + split + kCuts);
      EXPECT_THAT(parts.test(), ::testing::Not(IsEmpty()));
      const auto check = [&](const std::optional<Episode>& episode, Micros cut) {
        ASSERT_TRUE(episode.has_value());
        for (const int32_t r : episode->query) EXPECT_GE(parts.data.time[r], cut);
        for (const int32_t r : episode->support) EXPECT_LT(parts.data.time[r], parts.data.time[episode->query[0]]);
      };
      const auto check_all = [&](const TaskSet& tasks, Micros cut) {
        for (const auto& task : tasks) {
          check(headline_episode(parts.data, parts.scenario, task), cut);
          for (const int k : {0, 1, 5}) check(episode_at(parts.data, parts.scenario, task, Shot{k, 0}), cut);
        }
      };
      check_all(parts.partition.test[0].tasks, day(20));
      check_all(parts.partition.valid, day(10));
    }
}

TEST(PartitionTest, TasksWithoutARowAfterTheCutAreNotTested) {
  std::vector<Row> rows;
  for (int t = 0; t < 10; ++t)
    for (int i = 0; i < 5; ++i) rows.push_back({"u" + std::to_string(t), "i", 1, day(i)});
  const Parts parts(rows, std::string("[episode]\nquery = 'rest'\n[split]\ntest = 0.5\n") + kCuts);
  EXPECT_THAT(parts.test(), IsEmpty());
  EXPECT_THAT(parts.partition.notes, Contains(HasSubstr("test tasks left out: no row that could be query")));
}

TEST(PartitionTest, OtherRolesTrainButAreDroppedElsewhere) {
  std::vector<Row> rows;
  for (int u = 0; u < 12; ++u)
    for (const char* cell : {"warm", "cold"})
      for (int i = 0; i < 6; ++i) {
        // Users 0 to 3 have no fixed draw.
        const int role = u < 4 || i == 5 ? 0 : i == 4 ? 2 : 1;
        rows.push_back({"u" + std::to_string(u), "i" + std::to_string(i), 1, i + 1, "", cell, role});
      }
  const Parts parts(rows,
                    "[episode]\nrole = 'role'\nquery = 1\n[split]\ncolumn = 'split'\ntrain = ['warm']\ntest = "
                    "['cold']\nvalid = 0.5\n");
  for (const auto& task : parts.partition.train) EXPECT_EQ(task.rows.size(), 6);
  for (const auto& task : parts.partition.valid_last) EXPECT_EQ(task.rows.size(), 6);
  // A validation task without a fixed draw is asked by order and query; one with it by its roles.
  for (const auto& task : parts.partition.valid) {
    const bool drawn = std::stoi(parts.data.task_ids[task.task].substr(1)) >= 4;
    EXPECT_EQ(task.rows.size(), drawn ? 5 : 6);
  }
  EXPECT_EQ(parts.test().size(), 8);
  for (const auto& task : parts.partition.test[0].tasks) EXPECT_EQ(task.rows.size(), 5);
}

TEST(PartitionTest, UnseenItemsAreDroppedBeforeRowsAreCounted) {
  std::vector<Row> rows;
  for (int u = 0; u < 20; ++u)
    for (int i = 0; i < 4; ++i)
      rows.push_back({"u" + std::to_string(u), "i" + std::to_string(i), 1, i + 1, "", u < 10 ? "train" : "test"});
  rows.push_back({"u15", "never seen", 1, 9, "", "test"});
  rows.push_back({"u16", "nor this", 1, 9, "", "test"});
  rows.erase(rows.begin() + 16 * 4);  // u16 keeps three seen items and one unseen
  const std::string lines =
      "unseen_items = 'drop'\nrows = 4\nquery = 1\n[split]\ncolumn = 'split'\ntrain = ['train']\ntest = ['test']\n";
  const Parts parts(rows, "[episode]\n" + lines);
  EXPECT_EQ(parts.test().size(), 9);
  EXPECT_FALSE(parts.test().contains("u16"));
  for (const auto& task : parts.partition.test[0].tasks) EXPECT_EQ(task.rows.size(), 4);
  EXPECT_THAT(parts.partition.notes, Contains("2 test rows left out: items that training has not seen"));
}

}  // namespace
}  // namespace fewshop
