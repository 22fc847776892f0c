#include "evaluate/comparison.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "evaluate/comparisons.h"

namespace fewshop {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> first_cells(const ComparisonTable& table) {
  std::vector<std::string> cells;
  for (const auto& row : table.rows) cells.push_back(row[0]);
  return cells;
}

TEST(ComparisonTest, LearnersAndBaselinesStandInTheOrderOfTheirOwnFigures) {
  const auto tables = comparison_tables(two_learners());
  ASSERT_EQ(tables.size(), 1);
  EXPECT_EQ(tables[0].split, "test");
  EXPECT_THAT(first_cells(tables[0]), ElementsAre("bayes", "maml", "bias"));
}

TEST(ComparisonTest, OneThatIsWorseThanABaselineStandsBelowIt) {
  json object = two_learners();
  object["learners"]["maml"] = compared(made_up_ratings(40, 1.7, 1), 5);
  EXPECT_THAT(first_cells(comparison_tables(object)[0]), ElementsAre("bayes", "bias", "maml"));
}

TEST(ComparisonTest, WhereHigherIsBetterTheHighestStandsFirst) {
  json object = two_learners();
  for (auto& [name, report] : object["learners"].items()) report["metric_names"] = {"auc"};
  const auto rows = first_cells(comparison_tables(object)[0]);
  EXPECT_THAT(rows, ElementsAre("bayes", "maml", "bias"));
}

TEST(ComparisonTest, CostsAreShownInTheirUnitsAndWhatIsNotToldAsADash) {
  json object = two_learners();
  object["learners"]["bayes"]["validation"] = {{"mae", 0.25}, {"rmse", 0.5}};
  const auto table = comparison_tables(object)[0];
  const auto row = table.rows[0];
  ASSERT_EQ(table.head[3], "validation");
  EXPECT_EQ(row[3], "0.2500");
  EXPECT_EQ(table.rows[1][3], "-") << "a report of an older program";
  EXPECT_EQ(table.rows[2][3], "") << "a baseline";
  EXPECT_THAT(std::vector<std::string>(row.begin() + 5, row.end()), ElementsAre("8.0", "12.5", "3", "0.5", "-"));
}

TEST(ComparisonTest, TheVerdictIsOnWhatTheLearnerItselfAnswers) {
  json object = two_learners();
  json& own = object["learners"]["bayes"]["alone"]["test"];
  own["paired"]["bias"]["mae"] = {{"value", 0.3}, {"low", 0.2}, {"high", 0.4}};
  EXPECT_THAT(comparison_tables(object)[0].rows[0][2], HasSubstr("worse than bias by 0.3000"));
}

TEST(ComparisonTest, TheCurveHasAColumnForEachSupportSize) {
  const auto curves = comparison_curves(two_learners());
  ASSERT_EQ(curves.size(), 1);
  EXPECT_THAT(curves[0].head, ElementsAre("mae", "0", "5", "80%"));
  EXPECT_EQ(curves[0].rows[0].size(), 4);
}

TEST(ComparisonTest, AsMarkdownEveryLineOfATableHasItsCells) {
  const std::string text = markdown_comparison(two_learners());
  EXPECT_THAT(text, HasSubstr("| learner | mae alone (95 %) |"));
  EXPECT_THAT(text, HasSubstr("\n| bayes |"));
}

}  // namespace
}  // namespace fewshop
