#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "core/error.h"
#include "task/database.h"
#include "task/problem.h"
#include "task/row_episode.h"
#include "task/validate.h"

namespace fewshop {
namespace {

using testing::Cells;
using testing::Database;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// 12 tasks of 4 rows: a number, a word, and a target in column `target`.
void write_rows(const Database& db, const std::function<std::string(int)>& target, ColumnType type) {
  std::vector<Cells> rows;
  for (int i = 0; i < 48; ++i)
    rows.push_back({"t" + std::to_string(i / 4), std::to_string(i), i % 3 ? "red" : "blue", target(i)});
  db.write("rows",
           {{"task", ColumnType::kText}, {"size", ColumnType::kReal}, {"colour", ColumnType::kText}, {"target", type}},
           rows);
}

std::string scenario(const std::string& problem, const std::string& more = "") {
  return "problem = '" + problem + "'\n[rows]\ntable = 'rows'\ntask = 'task'\ntarget = 'target'\n" + more +
         "[episode]\nquery = 1\n";
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

TEST(RowProblemTest, RowsHaveFeaturesOfTheirOwnAndNoItem) {
  const Database db;
  write_rows(
      db, [](int i) { return std::to_string(i % 2); }, ColumnType::kInteger);
  const LoadedProblem p = load(db, scenario("binary"));
  EXPECT_EQ(p.data.rows(), 48);
  EXPECT_EQ(p.data.items(), 0);
  EXPECT_EQ(p.data.item[0], -1);
  EXPECT_TRUE(item_counts(p.data, p.partition.train).empty());
  ASSERT_EQ(p.encoders.rows.size(), 2) << "task and target are no features";
  EXPECT_EQ(p.encoders.rows[0].spec.name, "rows.size");
  EXPECT_EQ(p.encoders.rows[1].spec.name, "rows.colour");
  for (int32_t r = 0; r < p.data.rows(); ++r) {
    const int64_t source = p.data.source[r];
    EXPECT_EQ(p.data.target[r], static_cast<float>(source % 2));
    const auto& encoder = p.encoders.rows[0];
    EXPECT_NEAR(p.data.row_features.columns[0].row(r).dense[0], (source - encoder.mean[0]) / encoder.scale[0], 1e-5);
    EXPECT_EQ(p.encoders.rows[1].vocabulary[p.data.row_features.columns[1].row(r).ids[0]], source % 3 ? "red" : "blue");
  }
}

TEST(RowProblemTest, TheCacheKeepsRowFeaturesAndFollowsTheTable) {
  const Database db;
  write_rows(
      db, [](int i) { return std::to_string(i % 2); }, ColumnType::kInteger);
  const LoadedProblem first = load(db, scenario("binary")), second = load(db, scenario("binary"));
  for (const auto& p : {&first, &second})
    EXPECT_EQ(p->data.row_features.columns[0].dense[5], first.data.row_features.columns[0].dense[5]);
  EXPECT_FALSE(std::filesystem::is_empty(db.path() + ".cache"));
  const LoadedProblem fitted = load_problem(first.scenario, db.path(), &first.encoders);
  EXPECT_EQ(fitted.data.row_features.columns[1].ids[7], first.data.row_features.columns[1].ids[7]);
  EXPECT_EQ(fitted.data_fingerprint, first.data_fingerprint);
}

TEST(RowProblemTest, PositiveTurnsAnyTargetIntoYesAndNo) {
  const Database db;
  write_rows(
      db, [](int i) { return i % 4 ? "no" : "yes"; }, ColumnType::kText);
  const LoadedProblem p = load(db, scenario("binary", "positive = '== yes'\n"));
  EXPECT_EQ(p.data.rows(), 48) << "a row that does not pass is a no, not left out";
  double yes = 0;
  for (const float t : p.data.target) yes += t;
  EXPECT_EQ(yes, 12);
  EXPECT_THAT(refusal(db, scenario("binary")), HasSubstr("or positive = \"== WORD\""));
}

TEST(RowProblemTest, TargetsThatAreNoneOfTheProblemAreRefusedWithTheRow) {
  const Database db;
  write_rows(
      db, [](int i) { return i == 7 ? "2.5" : "1"; }, ColumnType::kReal);
  EXPECT_THAT(refusal(db, scenario("binary")), HasSubstr("row 8: expected 0 or 1"));
  EXPECT_THAT(refusal(db, scenario("count")), HasSubstr("row 8: expected a whole number from 0"));
  EXPECT_EQ(refusal(db, scenario("regression")), "accepted");
}

TEST(RowProblemTest, ClassesStandInOrderOfNumbersOrTexts) {
  const Database db;
  write_rows(
      db, [](int i) { return std::to_string(10 - 5 * (i % 3)); }, ColumnType::kInteger);
  const LoadedProblem numbers = load(db, scenario("ordinal"));
  EXPECT_THAT(numbers.data.classes, ElementsAre("0", "5", "10"));
  EXPECT_THAT(numbers.scenario.classes, ElementsAre("0", "5", "10"));
  for (int32_t r = 0; r < 48; ++r) EXPECT_EQ(numbers.data.target[r], 2 - numbers.data.source[r] % 3);
  write_rows(
      db, [](int i) { return i % 2 ? "good" : "bad"; }, ColumnType::kText);
  EXPECT_THAT(load(db, scenario("multiclass")).data.classes, ElementsAre("bad", "good"));
  EXPECT_THAT(refusal(db, scenario("ordinal")), HasSubstr("their order is not known; list them in order"));
  EXPECT_THAT(load(db, scenario("ordinal", "classes = ['good', 'bad']\n")).data.classes, ElementsAre("good", "bad"));
}

TEST(RowProblemTest, LabelsThatAreNoClassAreCountedAndLeftOut) {
  const Database db;
  write_rows(
      db, [](int i) { return i % 4 == 3 ? "odd"
                             : i % 2    ? "good"
                                        : "bad"; }, ColumnType::kText);
  const LoadedProblem p = load(db, scenario("ordinal", "classes = ['bad', 'good']\n"));
  EXPECT_EQ(p.row_counts.unknown_class, 12);
  EXPECT_EQ(p.data.rows(), 36);
  write_rows(
      db, [](int) { return "same"; }, ColumnType::kText);
  EXPECT_THAT(refusal(db, scenario("multiclass")), HasSubstr("at least two classes"));
}

TEST(RowProblemTest, AnEpisodeHasTheColumnsOfRowsAndItems) {
  const Database db;
  write_rows(
      db, [](int i) { return std::to_string(i % 2); }, ColumnType::kInteger);
  db.write("items", {{"colour", ColumnType::kText}, {"price", ColumnType::kReal}}, {{"red", "3"}, {"blue", "5"}});
  const LoadedProblem p = load(db, scenario("binary", "item = 'colour'\n[items]\ntable = 'items'\n"));
  EXPECT_EQ(p.data.items(), 2);
  ASSERT_EQ(p.encoders.rows.size(), 1) << "the item's column is no feature of the row";
  const Episode episode{0, {0, 1}, {2}};
  const RowEpisode asked = row_episode(p.data, episode);
  ASSERT_EQ(asked.support.size(), 2);
  ASSERT_EQ(asked.query[0].features.size(), 2);
  EXPECT_EQ(asked.query[0].item, p.data.item[2]);
  EXPECT_EQ(asked.query[0].features[1].dense[0], p.data.item_features.columns[0].row(p.data.item[2]).dense[0]);
  const std::vector<int> nobody{-1};
  EXPECT_TRUE(row_episode(p.data, episode, {}, nobody).support.empty()) << "rows of an unknown kind of event";
}

TEST(RowProblemTest, ValidateCountsClassesAndWarnsOfLeaks) {
  const Database db;
  std::vector<Cells> rows;
  for (int i = 0; i < 200; ++i)
    rows.push_back({"t" + std::to_string(i / 4), i % 2 ? "high" : "low", i % 2 ? "yes" : "no"});
  db.write("rows", {{"task", ColumnType::kText}, {"answer", ColumnType::kText}, {"target", ColumnType::kText}}, rows);
  const auto report = validate_problem(load(db, scenario("multiclass")));
  EXPECT_EQ(report["target"]["values"].size(), 2);
  EXPECT_EQ(report["target"]["values"][0]["value"], "no");
  EXPECT_EQ(report["target"]["values"][0]["rows"], 100);
  EXPECT_THAT(validation_text(report), HasSubstr("2 classes (no: 100, yes: 100)"));
  EXPECT_THAT(report["warnings"].dump(), HasSubstr("rows.answer alone explains 100 % of the target"));
}

}  // namespace
}  // namespace fewshop
