#include "task/problem.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "core/error.h"
#include "scenario/names.h"
#include "task/database.h"

namespace fewshop {
namespace {

using testing::Cells;
using ::testing::Contains;
using testing::Database;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::read_whole;

constexpr const char* kRatings =
    "[rows]\ntable = 'ratings'\ntask = 'user'\nitem = 'item'\ntarget = 'rating'\n[episode]\nrows = 1\nquery = 1\n";

/// 20 users, 3 ratings each.
void write_ratings(const Database& db) {
  std::vector<Cells> rows;
  for (int u = 0; u < 20; ++u)
    for (int i = 0; i < 3; ++i)
      rows.push_back({"u" + std::to_string(u), "i" + std::to_string(i), std::to_string(1 + (u + i) % 5)});
  db.write("ratings", {{"user", ColumnType::kText}, {"item", ColumnType::kText}, {"rating", ColumnType::kReal}}, rows);
}

LoadedProblem load(const Database& db, const std::string& toml) {
  return load_problem(parse_scenario(toml, "shop.toml"), db.path());
}

std::string refusal(const Database& db, const std::string& toml) {
  try {
    load(db, toml);
  } catch (const InvalidInput& error) {
    return error.what();
  }
  return "accepted";
}

std::vector<std::string> feature_names(const LoadedProblem& p) {
  std::vector<std::string> names;
  for (const auto* encoders : {&p.encoders.items, &p.encoders.tasks})
    for (const auto& e : *encoders) names.push_back(e.spec.name + " " + feature_type_name(e.spec.type));
  return names;
}

TEST(LoadProblemTest, ReadsRowsOfATableAndOfSql) {
  const Database db;
  write_ratings(db);
  const LoadedProblem table = load(db, kRatings);
  EXPECT_EQ(table.data.rows(), 60);
  EXPECT_EQ(table.data.tasks(), 20);
  EXPECT_EQ(table.data.items(), 3);
  EXPECT_EQ(table.partition.train.size(), 16);
  const LoadedProblem sql = load(db,
                                 "[rows]\nsql = 'select user as u, item, rating * 2 as r from ratings'\ntask = "
                                 "'u'\nitem = 'item'\ntarget = 'r'\n");
  EXPECT_EQ(sql.data.target[0], 2 * table.data.target[0]);
  EXPECT_NE(sql.data_fingerprint, table.data_fingerprint);
  EXPECT_EQ(load(db, kRatings).data_fingerprint, table.data_fingerprint);
}

TEST(LoadProblemTest, CountsRowsThatLackSomethingAndSaysSo) {
  const Database db;
  db.write(
      "ratings", {{"user", ColumnType::kText}, {"item", ColumnType::kText}, {"rating", ColumnType::kReal}},
      {{"u", "i", "3"}, {std::nullopt, "i", "3"}, {"u", std::nullopt, "3"}, {"u", "j", std::nullopt}, {"v", "i", "4"}});
  const LoadedProblem p = load(db, kRatings);
  EXPECT_EQ(p.data.rows(), 2);
  EXPECT_EQ(p.row_counts.missing_task, 1);
  EXPECT_EQ(p.row_counts.missing_item, 1);
  EXPECT_EQ(p.row_counts.missing_target, 1);
  EXPECT_THAT(p.partition.notes, Contains("1 rows left out: no value in user"));
  EXPECT_THAT(p.partition.notes, Contains("1 rows left out: no target in rating"));
}

TEST(LoadProblemTest, RowsWithoutATimeThatNothingNeedsAreKeptAndTold) {
  const Database db;
  db.write("ratings",
           {{"user", ColumnType::kText},
            {"item", ColumnType::kText},
            {"rating", ColumnType::kReal},
            {"at", ColumnType::kTime}},
           {{"u", "i", "3", std::nullopt}, {"u", "j", "4", "1300000000000000"}, {"v", "i", "3", "0"}});
  const std::string rows =
      "[rows]\ntable = 'ratings'\ntask = 'user'\nitem = 'item'\ntarget = 'rating'\ntime = 'at'\n[episode]\nquery = 1\n";
  const LoadedProblem random = load(db, rows + "order = 'random'\n");
  EXPECT_EQ(random.data.rows(), 3);
  EXPECT_THAT(random.data.time, ::testing::UnorderedElementsAre(kNoTime, 1300000000000000, 0));
  EXPECT_THAT(random.partition.notes, Contains("1 rows without a readable time in at have age 0"));
  EXPECT_EQ(load(db, rows).data.rows(), 2) << "by time a row needs one";
}

TEST(LoadProblemTest, PositiveMakesImplicitFeedback) {
  const Database db;
  write_ratings(db);
  const LoadedProblem p =
      load(db, "[rows]\ntable = 'ratings'\ntask = 'user'\nitem = 'item'\ntarget = 'rating'\npositive = '>= 4'\n");
  EXPECT_EQ(p.data.rows(), 24);
  EXPECT_EQ(p.row_counts.not_positive, 36);
  for (const float target : p.data.target) EXPECT_EQ(target, 1);
}

TEST(LoadProblemTest, SeveralTaskColumnsFormOneTask) {
  const Database db;
  write_ratings(db);
  const LoadedProblem p = load(db, "[rows]\ntable = 'ratings'\ntask = ['user', 'rating']\nitem = 'item'\n");
  EXPECT_THAT(p.data.task_ids, Contains("u0,1"));
}

TEST(LoadProblemTest, NamesTheColumnTheTableAndWhatIsThere) {
  const Database db;
  write_ratings(db);
  EXPECT_THAT(refusal(db, "[rows]\ntable = 'ratings'\ntask = 'customer'\nitem = 'item'\n"),
              HasSubstr("table 'ratings' of [rows]: no column 'customer'; its columns: user, item, rating"));
  EXPECT_THAT(refusal(db, "[rows]\nsql = 'select user, item from ratings'\ntask = 'user'\nitem = 'movie'\n"),
              HasSubstr("sql of [rows]: no column 'movie' (rows.item); its columns: user, item"));
  EXPECT_THAT(refusal(db, "[rows]\ntable = 'rating'\ntask = 'user'\nitem = 'item'\n"),
              HasSubstr("its tables: ratings"));
  EXPECT_THAT(refusal(db, std::string(kRatings) + "[items]\ntable = 'ratings'\nkey = 'id'\n"),
              HasSubstr("table 'ratings' of [items]: no column 'id'"));
  EXPECT_THAT(
      refusal(db, std::string(kRatings) + "[items]\ntable = 'ratings'\n[features]\n\"items.colour\" = 'category'\n"),
      HasSubstr("no column 'colour' (items.colour)"));
}

TEST(LoadProblemTest, RefusesSqlThatFailsWritesOrGivesNothing) {
  const Database db;
  write_ratings(db);
  const std::string rest = "\ntask = 'user'\nitem = 'item'\n";
  EXPECT_THAT(refusal(db, "[rows]\nsql = 'selec user from ratings'" + rest), HasSubstr("sql of [rows]"));
  EXPECT_THAT(refusal(db, "[rows]\nsql = 'select * from ratings where user is null'" + rest), HasSubstr("no rows"));
  for (const char* sql :
       {"delete from ratings", "drop table ratings", "insert into ratings values (1, 2, 3)", "vacuum into '/tmp/x'",
        "attach 'x.db' as x", "select * from ratings; delete from ratings", "pragma user_version = 3"})
    EXPECT_NE(refusal(db, "[rows]\nsql = \"" + std::string(sql) + "\"" + rest), "accepted") << sql;
  EXPECT_EQ(load(db, kRatings).data.rows(), 60);
}

TEST(LoadProblemTest, RefusesEmptyTablesTextTargetsAndFilesThatAreNoDatabase) {
  const Database db;
  db.write("ratings", {{"user", ColumnType::kText}, {"item", ColumnType::kText}, {"rating", ColumnType::kReal}}, {});
  EXPECT_THAT(refusal(db, kRatings), HasSubstr("table 'ratings' of [rows]: no rows"));
  db.write("words", {{"user", ColumnType::kText}, {"item", ColumnType::kText}, {"rating", ColumnType::kText}},
           {{"u", "i", "4"}, {"u", "j", "good"}});
  EXPECT_THAT(refusal(db, "[rows]\ntable = 'words'\ntask = 'user'\nitem = 'item'\ntarget = 'rating'\n"),
              HasSubstr("column 'rating' (rows.target), row 2: expected a number, got 'good'"));
  db.write("large", {{"user", ColumnType::kText}, {"item", ColumnType::kText}, {"rating", ColumnType::kReal}},
           {{"u", "i", "1e15"}, {"u", "j", "-1e16"}});
  EXPECT_THAT(refusal(db, "[rows]\ntable = 'large'\ntask = 'user'\nitem = 'item'\ntarget = 'rating'\n"),
              HasSubstr("column 'rating' (rows.target), row 2: -1e+16 is too large, expected numbers up to 1e+15"));
  EXPECT_THAT(refusal(db, "[rows]\ntable = 'large'\ntask = 'user'\nitem = 'item'\nweight = 'rating'\n"),
              HasSubstr("expected a weight of 0 or more"));
  db.write("lost", {{"user", ColumnType::kText}, {"item", ColumnType::kText}},
           {{std::nullopt, "i"}, {"u", std::nullopt}});
  EXPECT_THAT(refusal(db, "[rows]\ntable = 'lost'\ntask = 'user'\nitem = 'item'\n"),
              HasSubstr("none of its 2 rows can be used: 1 without user"));
  const auto scenario = parse_scenario(kRatings, "shop.toml");
  EXPECT_THROW(load_problem(scenario, db.folder().write("text.db", "this is no database")), InvalidInput);
  EXPECT_THROW(load_problem(scenario, db.folder() / "absent.db"), InvalidInput);
}

TEST(LoadProblemTest, AnyTextIsAnId) {
  const Database db;
  const std::vector<std::string> ids = {
      "it's", "a \"b\"", "line\nbreak", "a,b", "\xf0\x9f\x98\x80", std::string(10'000, 'x'), " ", "-1"};
  std::vector<Cells> rows;
  for (const auto& id : ids)
    for (const auto& item : ids) rows.push_back({id, item, "3"});
  db.write("ratings", {{"user", ColumnType::kText}, {"item", ColumnType::kText}, {"rating", ColumnType::kReal}}, rows);
  const LoadedProblem p = load(db, kRatings);
  EXPECT_EQ(p.data.tasks(), 8);
  for (const auto& id : ids) {
    EXPECT_THAT(p.data.task_ids, Contains(id));
    EXPECT_THAT(p.data.item_ids, Contains(id));
  }
}

/// Ratings, items with one column of every type, users.
void write_shop(const Database& db) {
  write_ratings(db);
  std::vector<Cells> items, users;
  for (int i = 0; i < 300; ++i)
    items.push_back({"i" + std::to_string(i), "name " + std::to_string(i), i % 2 ? "red" : "blue", std::to_string(i),
                     std::to_string(i * 1'000'000), "0"});
  items.push_back({"i0", "again", "green", "5", "5", "0"});
  db.write("items",
           {{"item", ColumnType::kText},
            {"title", ColumnType::kText},
            {"colour", ColumnType::kText},
            {"price", ColumnType::kReal},
            {"since", ColumnType::kTime},
            {"hidden", ColumnType::kBoolean}},
           items);
  for (int u = 0; u < 20; ++u) users.push_back({"u" + std::to_string(u), u % 2 ? "f" : "m"});
  db.write("users", {{"user", ColumnType::kText}, {"gender", ColumnType::kText}}, users);
}

const std::string kShop = std::string(kRatings) + "[items]\ntable = 'items'\n[tasks]\ntable = 'users'\n";

TEST(LoadProblemTest, UnlistedColumnsGetATypeAndAreTold) {
  const Database db;
  write_shop(db);
  const LoadedProblem p = load(db, kShop);
  EXPECT_THAT(feature_names(p),
              ElementsAre("items.colour category", "items.price number", "items.since time", "tasks.gender category"));
  EXPECT_THAT(p.scenario.defaults, Contains("features: items.colour as category, by its type"));
  EXPECT_THAT(p.partition.notes,
              Contains(HasSubstr("items.title left out: a text with more than 200 different values")));
  EXPECT_THAT(p.partition.notes, Contains(HasSubstr("1 rows repeat a item")));
  EXPECT_EQ(p.data.items(), 300);
  EXPECT_EQ(p.data.item_features.rows, 300);
  EXPECT_EQ(p.data.task_features.rows, 20);
}

TEST(LoadProblemTest, ListedColumnsKeepTheirTypeAndIdIsSkipped) {
  const Database db;
  write_shop(db);
  const LoadedProblem p = load(db, kShop +
                                       "[features]\n\"items.title\" = 'text'\n\"items.price\" = "
                                       "'log-number'\n\"items.since\" = 'id'\n\"items.colour\" = 'id'\n");
  EXPECT_THAT(feature_names(p), ElementsAre("items.title text", "items.price log-number", "tasks.gender category"));
}

TEST(LoadProblemTest, VocabulariesKnowOnlyWhatTrainingHasSeen) {
  const Database db;
  write_shop(db);
  const LoadedProblem p = load(db, kShop);
  // Only i0, i1 and i2 occur in rows: prices 0, 1, 2.
  EXPECT_EQ(p.encoders.items[0].vocabulary, (std::vector<std::string>{"blue", "red"}));
  EXPECT_DOUBLE_EQ(p.encoders.items[1].mean[0], 1);
  // The first row of a repeated key counts.
  EXPECT_EQ(p.data.item_features.columns[0].row(0).ids[0], 0);
}

TEST(LoadProblemTest, ItemsOnlyInRowsComeAfterThoseOfTheTable) {
  const Database db;
  write_ratings(db);
  db.write("items", {{"item", ColumnType::kText}, {"price", ColumnType::kReal}}, {{"i9", "1"}, {"i2", "2"}});
  const LoadedProblem p = load(db, std::string(kRatings) + "[items]\ntable = 'items'\n");
  EXPECT_THAT(p.data.item_ids, ElementsAre("i9", "i2", "i0", "i1"));
  EXPECT_EQ(p.data.item_features.columns[0].row(2).dense[1], 1);
  EXPECT_THAT(p.partition.notes, Contains(HasSubstr("2 of 4 items of the rows are not in it")));
}

TEST(LoadProblemTest, FittedEncodersOfABundleAreUsedAsTheyAre) {
  const Database db;
  write_shop(db);
  Encoders fitted = load(db, kShop).encoders;
  fitted.items[0].vocabulary = {"red"};
  fitted.items[0].build_index();
  std::swap(fitted.items[0], fitted.items[1]);
  const LoadedProblem p = load_problem(parse_scenario(kShop, "shop.toml"), db.path(), &fitted);
  EXPECT_EQ(encoders_to_json(p.encoders), encoders_to_json(fitted));
  EXPECT_EQ(p.data.item_features.columns[1].vocabulary, 1);
  EXPECT_EQ(p.data.item_features.columns[1].row(1).ids[0], 0);
}

std::vector<std::string> cache_files(const Database& db) {
  std::vector<std::string> files;
  if (std::filesystem::exists(db.path() + ".cache"))
    for (const auto& entry : std::filesystem::directory_iterator(db.path() + ".cache"))
      files.push_back(entry.path().string());
  return files;
}

TEST(LoadProblemTest, TheCacheGivesTheSameAndADamagedOneIsRebuilt) {
  const Database db;
  write_shop(db);
  const LoadedProblem first = load(db, kShop);
  ASSERT_EQ(cache_files(db).size(), 1);
  const std::string file = cache_files(db)[0], bytes = read_whole(file);
  const auto same = [&](const LoadedProblem& p) {
    EXPECT_EQ(encoders_to_json(p.encoders), encoders_to_json(first.encoders));
    EXPECT_EQ(p.partition.notes, first.partition.notes);
    EXPECT_EQ(p.scenario.defaults, first.scenario.defaults);
    for (int64_t r = 0; r < 300; ++r)
      EXPECT_TRUE(std::ranges::equal(p.data.item_features.columns[1].row(r).dense,
                                     first.data.item_features.columns[1].row(r).dense));
  };
  same(load(db, kShop));
  std::string damaged = bytes;
  damaged[bytes.size() - 1] ^= 1;
  std::ofstream(file, std::ios::binary) << damaged;
  same(load(db, kShop));
  EXPECT_EQ(read_whole(file), bytes);
}

TEST(LoadProblemTest, OtherDataOrOtherSplitsHaveTheirOwnCache) {
  const Database db;
  write_shop(db);
  load(db, kShop);
  load(db, kShop + "[features]\n\"items.price\" = 'category'\n");
  EXPECT_EQ(cache_files(db).size(), 2);
  db.write("users", {{"user", ColumnType::kText}, {"gender", ColumnType::kText}}, {{"u1", "x"}});
  const LoadedProblem changed = load(db, kShop);
  EXPECT_EQ(cache_files(db).size(), 3);
  EXPECT_NE(changed.data_fingerprint, "");
}

TEST(LoadProblemTest, AStoredScenarioHasTheSameFingerprintAsItsFile) {
  const Database db;
  write_shop(db);
  const LoadedProblem trained = load(db, kShop);
  const Scenario stored = scenario_from_json(scenario_to_json(trained.scenario));
  EXPECT_EQ(load_problem(stored, db.path(), &trained.encoders).data_fingerprint, trained.data_fingerprint);
}

TEST(LoadProblemTest, TimeIsNeededOnlyWhereItOrders) {
  const Database db;
  db.write("events", {{"user", ColumnType::kText}, {"item", ColumnType::kText}, {"at", ColumnType::kTime}},
           {{"u", "a", "20"}, {"u", "b", "10"}, {"u", "c", std::nullopt}});
  const std::string rows = "[rows]\ntable = 'events'\ntask = 'user'\nitem = 'item'\ntime = 'at'\n";
  const LoadedProblem ordered = load(db, rows);
  EXPECT_THAT(ordered.data.time, ElementsAre(10, 20));
  EXPECT_EQ(ordered.row_counts.backwards, 1);
  EXPECT_EQ(load(db, rows + "[episode]\norder = 'random'\n").data.rows(), 3);
}

TEST(LoadProblemTest, WeightsAndKindsOfEventsAreKept) {
  const Database db;
  db.write(
      "events",
      {{"user", ColumnType::kText}, {"item", ColumnType::kText}, {"kind", ColumnType::kText}, {"w", ColumnType::kReal}},
      {{"u", "a", "view", "0.5"}, {"u", "b", "buy", std::nullopt}});
  const std::string rows = "[rows]\ntable = 'events'\ntask = 'user'\nitem = 'item'\nevent = 'kind'\nweight = 'w'\n";
  const LoadedProblem p = load(db, rows);
  EXPECT_THAT(p.data.kinds, ElementsAre("buy", "view"));
  const int a = p.data.item_ids[p.data.item[0]] == "a" ? 0 : 1;
  EXPECT_EQ(p.data.kind[a], 1);
  EXPECT_EQ(p.data.weight[a], 0.5);
  EXPECT_EQ(p.data.weight[1 - a], 1);
  db.write(
      "events",
      {{"user", ColumnType::kText}, {"item", ColumnType::kText}, {"kind", ColumnType::kText}, {"w", ColumnType::kReal}},
      {{"u", "a", "view", "-1"}});
  EXPECT_THAT(refusal(db, rows), HasSubstr("expected a weight of 0 or more, got -1"));
}

}  // namespace
}  // namespace fewshop
