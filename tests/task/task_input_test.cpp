#include "task/task_input.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "runtime/small_model.h"

namespace fewshop {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::small_model;

TextRows rows(std::vector<std::string> columns, std::vector<std::vector<std::string>> cells) {
  TextRows out{"rows.csv", std::move(columns), {}, {}};
  for (size_t r = 0; r < cells.size(); ++r) {
    auto& row = out.rows.emplace_back();
    for (auto& cell : cells[r]) row.push_back(cell.empty() ? std::nullopt : std::optional(cell));
    out.lines.push_back(static_cast<int64_t>(r) + 2);
  }
  return out;
}

/// The small model with a changed scenario.
template <class Change>
std::shared_ptr<Model> model_with(Problem problem, Change&& change) {
  const auto model = small_model({.problem = problem, .items = 50});
  change(const_cast<Scenario&>(model->scenario()));
  return model;
}

std::string refusal(const Model& model, const TextRows& rows) {
  try {
    task_input(model, rows, {});
  } catch (const InvalidInput& e) {
    return e.what();
  }
  return "";
}

TEST(TaskInputTest, RowsBecomeSupportInTheirOrder) {
  const auto model = small_model({.problem = Problem::kRating, .items = 50});
  const TaskInput input = task_input(*model, rows({"item_id", "rating"}, {{"item-3", "4.5"}, {"item-99", "2"}}), {});
  ASSERT_EQ(input.support.size(), 2);
  EXPECT_EQ(input.support[0].item, 3);
  EXPECT_EQ(input.support[0].target, 4.5F);
  EXPECT_EQ(input.support[0].group, 0);
  EXPECT_EQ(input.support[1].item, -1) << "unknown to the model";
  EXPECT_EQ(input.support[1].group, 1);
  EXPECT_THAT(input.item_ids, ElementsAre("item-3", "item-99"));
}

TEST(TaskInputTest, TimeOrdersRowsAndGivesAges) {
  const auto model = model_with(Problem::kRanking, [](Scenario& s) {
    s.time = "at";
    s.episode.by_time = true;
  });
  const TextRows text = rows({"item_id", "at"}, {{"item-1", "2011-12-09 12:00:30"}, {"item-2", "2011-12-09 12:00:00"}});
  const TaskInput input = task_input(*model, text, {});
  EXPECT_THAT(input.item_ids, ElementsAre("item-2", "item-1"));
  EXPECT_EQ(input.support[0].age, 30);
  EXPECT_EQ(input.support[1].age, 0);
  const TaskInput later = task_input(*model, text, {}, parse_time("2011-12-09 12:01:00"));
  EXPECT_EQ(later.support[0].age, 60);
}

TEST(TaskInputTest, TiesFormGroupsOfWhichTheLatestAreKept) {
  const auto model = model_with(Problem::kRanking, [](Scenario& s) {
    s.episode.ties = "invoice";
    s.episode.support_max = 2;
  });
  const TaskInput input = task_input(
      *model, rows({"item_id", "invoice"}, {{"item-1", "a"}, {"item-2", "b"}, {"item-3", "b"}, {"item-4", "c"}}), {});
  EXPECT_THAT(input.item_ids, ElementsAre("item-2", "item-3", "item-4"));
  EXPECT_EQ(input.support[0].group, 0);
  EXPECT_EQ(input.support[1].group, 0);
  EXPECT_EQ(input.support[2].group, 1);
}

TEST(TaskInputTest, RowsThatAreNotPositiveAreNoSupport) {
  const auto model = model_with(Problem::kRanking, [](Scenario& s) {
    s.target = "rating";
    s.positive = ">= 4";
  });
  const TaskInput input = task_input(*model, rows({"item_id", "rating"}, {{"item-1", "3"}, {"item-2", "4"}}), {});
  EXPECT_THAT(input.item_ids, ElementsAre("item-2"));
  EXPECT_EQ(input.support[0].target, 1);
}

TEST(TaskInputTest, KindsAndWeightsAreRead) {
  const auto model = model_with(Problem::kRanking, [](Scenario& s) {
    s.event = "event";
    s.weight = "w";
  });
  const TaskInput input = task_input(
      *model, rows({"item_id", "event", "w"}, {{"item-1", "view_item", "0.5"}, {"item-2", "purchase", ""}}), {});
  EXPECT_EQ(input.support[0].kind, 1);
  EXPECT_EQ(input.support[0].weight, 0.5F);
  EXPECT_EQ(input.support[1].kind, 0);
  EXPECT_EQ(input.support[1].weight, 1);
}

TEST(TaskInputTest, RowsOfUnknownKindsAreLeftOutAndCounted) {
  const auto model = model_with(Problem::kRanking, [](Scenario& s) { s.event = "event"; });
  const TaskInput input =
      task_input(*model,
                 rows({"item_id", "event"},
                      {{"item-1", "return"}, {"item-2", "purchase"}, {"item-3", ""}, {"item-4", "view_item"}}),
                 {});
  EXPECT_THAT(input.item_ids, ElementsAre("item-2", "item-4"));
  EXPECT_EQ(input.support[1].group, 1) << "groups are those of the rows that are left";
  EXPECT_EQ(input.unknown_kinds, 2);
}

TEST(TaskInputTest, RefusalsNamePlaceLineAndColumn) {
  const auto model = model_with(Problem::kRating, [](Scenario& s) {
    s.event = "event";
    s.time = "at";
    s.episode.by_time = true;
  });
  EXPECT_THAT(
      refusal(*model, rows({"item", "rating", "at"}, {})),
      HasSubstr("rows.csv: expected a column 'item_id' (rows.item of scenario small-rating), got item, rating, at"));
  EXPECT_THAT(refusal(*model, rows({"item_id", "at"}, {})), HasSubstr("expected a column 'rating'"));
  EXPECT_THAT(refusal(*model, rows({"item_id", "rating"}, {})), HasSubstr("expected a column 'at'"));
  const std::vector<std::string> columns{"item_id", "rating", "at", "event"};
  EXPECT_THAT(refusal(*model, rows(columns, {{"item-1", "--", "0", "purchase"}})),
              HasSubstr("rows.csv: line 2: rating: expected a number, got '--'"));
  EXPECT_THAT(refusal(*model, rows(columns, {{"item-1", "1e999", "0", "purchase"}})), HasSubstr("expected a number"));
  EXPECT_THAT(refusal(*model, rows(columns, {{"item-1", "nan", "0", "purchase"}})), HasSubstr("expected a number"));
  EXPECT_THAT(refusal(*model, rows(columns, {{"", "3", "0", "purchase"}})), HasSubstr("line 2: item_id is empty"));
  EXPECT_THAT(refusal(*model, rows(columns, {{"item-1", "3", "2011-02-30", "purchase"}})),
              HasSubstr("at: expected a time such as 2011-12-09T12:50:00Z, got '2011-02-30'"));
}

TEST(TaskInputTest, ColumnsOfTheTaskDescribeIt) {
  const auto model = small_model({.items = 50});
  const EntityValues values = description_in(*model, rows({"item_id", "age"}, {{"item-1", ""}, {"item-2", "old"}}));
  EXPECT_EQ(values.at("age"), "old");
  const TaskInput input = task_input(*model, rows({"item_id"}, {}), values);
  ASSERT_EQ(input.description.views.size(), 1);
  EXPECT_THAT(input.description.views[0].ids, ElementsAre(1));
}

}  // namespace
}  // namespace fewshop
