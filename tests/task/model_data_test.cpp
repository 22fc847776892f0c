#include "task/model_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "runtime/small_model.h"
#include "scenario/read.h"
#include "task/database.h"
#include "task/problem.h"

namespace fewshop {
namespace {

using testing::Cells;
using testing::Database;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::small_model;

const std::vector<TableColumn> kRatings = {{"user", ColumnType::kText},   {"item", ColumnType::kText},
                                           {"rating", ColumnType::kReal}, {"at", ColumnType::kTime},
                                           {"event", ColumnType::kText},  {"basket", ColumnType::kText},
                                           {"cell", ColumnType::kText}};

/// 20 users with 9 rows each: three a basket, two a second, in another order than that of time.
std::vector<Cells> ratings() {
  std::vector<Cells> rows;
  for (int i = 8; i >= 0; --i)
    for (int u = 0; u < 20; ++u)
      rows.push_back({"u" + std::to_string(u), "item-" + std::to_string((u + 3 * i) % 40), std::to_string(1 + i % 5),
                      std::to_string((u * 9 + i) / 2 * kSecond), i % 2 ? "purchase" : "view_item",
                      "b" + std::to_string(i / 3), u < 15 ? "train" : "test"});
  return rows;
}

constexpr const char* kRows = "[rows]\ntable = 'ratings'\ntask = 'user'\nitem = 'item'\ntarget = 'rating'\n";

/// A model of this scenario over the database: items "item-0" to "item-49", encoders fitted on what the database has.
std::shared_ptr<Model> model_of(const Database& db, const std::string& toml) {
  const LoadedProblem problem = load_problem(parse_scenario(toml, "shop.toml"), db.path());
  const auto model = small_model({.problem = problem.scenario.problem, .items = 50});
  const_cast<Scenario&>(model->scenario()) = problem.scenario;
  const_cast<Encoders&>(model->encoders()) = problem.encoders;
  const_cast<std::vector<std::string>&>(model->kinds()) = problem.data.kinds;
  return model;
}

/// Views of an encoded entity as numbers, for comparing.
std::vector<std::vector<float>> numbers(const std::vector<ColumnView>& views) {
  std::vector<std::vector<float>> all;
  for (const ColumnView& view : views) {
    auto& column = all.emplace_back(view.dense.begin(), view.dense.end());
    column.insert(column.end(), view.ids.begin(), view.ids.end());
  }
  return all;
}

TEST(ModelDataTest, DescriptionsAreEncodedAsInTraining) {
  const Database db;
  db.write("ratings", kRatings, ratings());
  std::vector<Cells> users;
  for (int u = 0; u < 20; ++u) {
    const Micros born = (u - 10) * 1234 * kDay + u * 3661 * kSecond + u;  // 1936 to 2000, with fractions of a second
    users.push_back({"u" + std::to_string(u), u == 3 ? std::nullopt : std::optional(std::to_string(born)),
                     "city-" + std::to_string(u % 3), u == 4 ? "" : std::to_string(u * 0.1), "0"});
  }
  users.push_back({"u5", "0", "a second row", "7", "1"});
  db.write("users",
           {{"user", ColumnType::kText},
            {"born", ColumnType::kTime},
            {"city", ColumnType::kText},
            {"spent", ColumnType::kText},
            {"seen", ColumnType::kInteger}},
           users);
  const std::string features = "[features]\n\"tasks.spent\" = 'number'\n\"tasks.seen\" = 'time'\n";
  for (const char* source :
       {"table = 'users'", "sql = 'select city, born, user, spent, seen from users order by rowid'"}) {
    const std::string toml = std::string(kRows) + "[tasks]\n" + source + "\n" + features;
    const LoadedProblem trained = load_problem(parse_scenario(toml, "shop.toml"), db.path());
    const auto model = model_of(db, toml);
    ModelData data(*model, db.path());
    for (int64_t t = 0; t < trained.data.tasks(); ++t)
      EXPECT_EQ(numbers(data.task(trained.data.task_ids[t], {}).description.views),
                numbers(trained.data.task_features.row(t)))
          << trained.data.task_ids[t] << ", " << source;
    EXPECT_EQ(data.description("u2").at("born"), format_time(-8 * 1234 * kDay + 2 * 3661 * kSecond + 2));
    EXPECT_THAT(data.description("nobody"), IsEmpty());
  }
}

TEST(ModelDataTest, ATaskHasTheSupportThatTheWholeTableGives) {
  const Database db;
  db.write("ratings", kRatings, ratings());
  for (const char* more :
       {"", "time = 'at'\n", "time = 'at'\nevent = 'event'\n[episode]\nties = 'basket'\nsupport = 2\n",
        "time = 'at'\n[episode]\nties = 'time'\nquery = 1\nsupport = [0, 3]\n",
        "[episode]\nties = 'basket'\nquery = 1\n"}) {
    const auto model = model_of(db, std::string(kRows) + more);
    const Scenario& s = model->scenario();
    const LoadedProblem whole = load_problem(s, db.path());
    ModelData data(*model, db.path());
    for (int64_t t = 0; t < whole.data.tasks(); ++t) {
      std::vector<std::string> items;
      int groups = 0;
      for (int64_t r = whole.data.task_begin[t + 1]; r-- > whole.data.task_begin[t];) {
        const bool last = r + 1 == whole.data.task_begin[t + 1];
        groups += last || whole.data.group[r] != whole.data.group[r + 1];
        if (groups <= s.episode.support_max) items.insert(items.begin(), whole.data.item_ids[whole.data.item[r]]);
      }
      const TaskInput input = data.task(whole.data.task_ids[t], {});
      EXPECT_EQ(input.item_ids, items) << whole.data.task_ids[t] << " " << more;
      ASSERT_EQ(input.support.size(), items.size());
      for (size_t i = 0; i < items.size(); ++i) EXPECT_EQ(input.support[i].item, model->find_item(items[i]));
    }
  }
}

TEST(ModelDataTest, AgesCountFromTheLatestRowOrAGivenTime) {
  const Database db;
  db.write("ratings", kRatings, ratings());
  const auto model = model_of(db, std::string(kRows) + "time = 'at'\n");
  ModelData data(*model, db.path());
  const TaskInput input = data.task("u0", {});
  EXPECT_EQ(input.support.front().age, 4);
  EXPECT_EQ(input.support.back().age, 0);
  EXPECT_EQ(data.task("u0", 10 * kSecond).support.back().age, 6);
}

TEST(ModelDataTest, SplitValuesMayVanishAndAreNotAskedFor) {
  const Database db;
  db.write("ratings", kRatings, ratings());
  const auto model =
      model_of(db, std::string(kRows) + "[split]\ncolumn = 'cell'\ntrain = ['train']\ntest = ['test']\n");
  auto rows = ratings();
  for (auto& row : rows) row.back() = std::nullopt;
  db.write("ratings", kRatings, rows);
  EXPECT_EQ(ModelData(*model, db.path()).task("u3", {}).support.size(), 9);
  // The column itself may be gone as well.
  const std::vector<TableColumn> columns(kRatings.begin(), kRatings.end() - 1);
  for (auto& row : rows) row.pop_back();
  db.write("ratings", columns, rows);
  EXPECT_EQ(ModelData(*model, db.path()).task("u17", {}).support.size(), 9);
}

TEST(ModelDataTest, TasksThatTheDatabaseDoesNotKnowHaveNoRows) {
  const Database db;
  db.write("ratings", kRatings, ratings());
  const auto model = model_of(db, std::string(kRows) + "time = 'at'\n");
  ModelData data(*model, db.path());
  EXPECT_THAT(data.task("nobody", {}).support, IsEmpty());
  EXPECT_THAT(data.task("u1' or 'a' = 'a", {}).support, IsEmpty());
}

TEST(ModelDataTest, RowsOfUnknownKindsAreLeftOutAndCounted) {
  const Database db;
  db.write("ratings", kRatings, ratings());
  const auto model = model_of(db, std::string(kRows) + "event = 'event'\n");
  auto rows = ratings();
  for (auto& row : rows)
    if (row[1] == "item-0") row[4] = "return";
  db.write("ratings", kRatings, rows);
  const TaskInput input = ModelData(*model, db.path()).task("u0", {});
  EXPECT_EQ(input.unknown_kinds, 1);
  EXPECT_EQ(input.support.size(), 8);
  for (const SupportRow& row : input.support) EXPECT_LT(row.kind, 2);
}

TEST(ModelDataTest, NewItemsBecomeKnownWithTheirFeatures) {
  const Database db;
  db.write("ratings", kRatings, ratings());
  std::vector<Cells> items;
  for (int i = 0; i < 50; ++i) items.push_back({"item-" + std::to_string(i), i % 2 ? "red" : "green", "0"});
  const std::vector<TableColumn> columns = {
      {"item", ColumnType::kText}, {"colour", ColumnType::kText}, {"hidden", ColumnType::kBoolean}};
  db.write("items", columns, items);
  const std::string toml = std::string(kRows) + "[items]\ntable = 'items'\n";
  const auto model = model_of(db, toml);
  items.push_back({"item-new", "red", "1"});
  items.push_back({"item-new", "green", "0"});
  db.write("items", columns, items);
  auto rows = ratings();
  rows.push_back({"u0", "item-unlisted", "3", "0", "purchase", "b9", "train"});
  db.write("ratings", kRatings, rows);
  ModelData data(*model, db.path());
  EXPECT_EQ(model->find_item("item-new"), 50);
  EXPECT_EQ(model->find_item("item-unlisted"), -1);
  EXPECT_THAT(data.task("u0", {}).item_ids, ::testing::Contains("item-unlisted"));
  EXPECT_EQ(model->find_item("item-unlisted"), 51) << "known as an item without features";
  EXPECT_THAT(data.hidden_items(), ElementsAre("item-new"));
}

TEST(ModelDataTest, ATaskOfSeveralColumnsIsNamedByAllOfThem) {
  const Database db;
  auto rows = ratings();
  rows.push_back({"Smith, Ann", "item-7", "3", "0", "purchase", "b0", "train"});
  db.write("ratings", kRatings, rows);
  const auto model =
      model_of(db, "[rows]\ntable = 'ratings'\ntask = ['user', 'basket']\nitem = 'item'\ntarget = 'rating'\n");
  ModelData data(*model, db.path());
  EXPECT_EQ(data.task("u4,b1", {}).support.size(), 3);
  EXPECT_THAT(data.task("\"Smith, Ann\",b0", {}).item_ids, ElementsAre("item-7"));
  EXPECT_THROW(data.task("u4", {}), InvalidInput);
}

TEST(ModelDataTest, NamesWhatTheDatabaseLacks) {
  const Database db;
  db.write("ratings", kRatings, ratings());
  db.write("users", {{"user", ColumnType::kText}, {"city", ColumnType::kText}}, {{"u0", "x"}, {"u1", "y"}});
  const auto model = model_of(db, std::string(kRows) + "[tasks]\ntable = 'users'\n");
  db.write("users", {{"user", ColumnType::kText}, {"town", ColumnType::kText}}, {{"u0", "x"}});
  ModelData data(*model, db.path());
  try {
    data.task("u0", {});
    FAIL();
  } catch (const InvalidInput& e) {
    EXPECT_THAT(e.what(),
                HasSubstr("table 'users' of [tasks]: no column 'city' (tasks.city); its columns: user, town"));
  }
}

}  // namespace
}  // namespace fewshop
