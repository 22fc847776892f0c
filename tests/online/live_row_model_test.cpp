#include "online/live_row_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <thread>

#include "core/error.h"
#include "online/row_bundle.h"

namespace fewshop {
namespace {

using ::testing::HasSubstr;
using testing::served_row_model;

LiveRowModel live_rows_model() { return {"1", "somewhere", std::make_shared<const RowModel>(served_row_model())}; }

TextRows query_of_two() { return {"query", {"x", "colour"}, {{"1", "red"}, {std::nullopt, "blue"}}, {}}; }

/// `ones` rows of 1.
RowQuestion question_with(int ones) {
  RowQuestion question;
  question.query = query_of_two();
  question.support = {"support", {"x", "target"}, {}, {}};
  for (int i = 0; i < ones; ++i) question.support.rows.push_back({"0.5", "1"});
  question.explain = true;
  return question;
}

std::string complaint_about(const RowQuestion& question) {
  try {
    live_rows_model().answer(question);
  } catch (const InvalidInput& problem) {
    return problem.what();
  }
  return "answered";
}

TEST(LiveRowModelTest, AnswersWhatTheModelPredictsAndAllOfItIsExplained) {
  const LiveRowModel live = live_rows_model();
  const RowQuestion question = question_with(5);
  const RowAnswer answer = live.answer(question);
  RowTaskInput input = row_task_input(live.model(), question.support, {});
  const auto expected = predict_rows(live.model(), input, question.query, {.explain = true});
  ASSERT_EQ(answer.predictions.size(), 2);
  EXPECT_EQ(answer.support, 5);
  for (size_t i = 0; i < 2; ++i) {
    const RowPrediction& prediction = answer.predictions[i];
    EXPECT_EQ(prediction.distribution.mean, expected[i].distribution.mean);
    EXPECT_EQ(prediction.served, "adapted");
    double sum = prediction.prior;
    for (const RowReason& reason : prediction.reasons) sum += reason.contribution;
    EXPECT_NEAR(sum, prediction.link, 1e-9);
  }
}

TEST(LiveRowModelTest, WithoutSupportItAnswersAsForANewTask) {
  const LiveRowModel live = live_rows_model();
  RowQuestion question = question_with(0);
  EXPECT_EQ(live.answer(question).predictions[0].distribution.mean, 0.25);
  question.support = {};  // not stated at all
  const RowAnswer answer = live.answer(question);
  EXPECT_EQ(answer.predictions[0].distribution.mean, 0.25);
  EXPECT_EQ(answer.predictions[0].served, "majority");
  EXPECT_EQ(answer.support, 0);
}

TEST(LiveRowModelTest, ASessionRemembersNothingOfTheTaskBefore) {
  const LiveRowModel live = live_rows_model();
  const auto ask = [&] {
    for (int i = 0; i < 500; ++i) {
      const int ones = i % 4;
      const double mean = live.answer(question_with(ones)).predictions[1].distribution.mean;
      const double expected = ones < 2 ? 0.25 : ((2.0 + ones) / (8 + ones) + (0.25 + ones) / (1 + ones)) / 2;
      ASSERT_NEAR(mean, expected, 1e-12) << ones;
    }
  };
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) threads.emplace_back(ask);
  for (auto& thread : threads) thread.join();
}

TEST(LiveRowModelTest, WhatCannotBeReadIsSaidByPlaceRowAndColumn) {
  const auto complaint = [](const std::function<void(RowQuestion&)>& spoil) {
    RowQuestion question = question_with(2);
    spoil(question);
    return complaint_about(question);
  };
  EXPECT_EQ(complaint([](auto& q) { q.query.columns[0] = "size"; }),
            "query: scenario small-rows has no column 'size'; known: age, colour, target, task, x");
  EXPECT_THAT(complaint([](auto& q) { q.support.columns[0] = "size"; }), HasSubstr("support: scenario small-rows has"));
  EXPECT_EQ(complaint([](auto& q) { q.task["x"] = "1"; }),
            "task: scenario small-rows has no column 'x'; known: age, task");
  EXPECT_EQ(complaint([](auto& q) { q.query.rows[1][0] = "big"; }), "query: row 2: x: expected a number, got 'big'");
  EXPECT_THAT(complaint([](auto& q) { q.support.rows[1][1] = std::nullopt; }), "support: row 2: target is empty");
  EXPECT_THAT(complaint([](auto& q) { q.support.rows[0][1] = "7"; }), HasSubstr("support: row 1: target"));
  EXPECT_THAT(complaint([](auto& q) {
                q.support.columns.pop_back();
                for (auto& row : q.support.rows) row.pop_back();
              }),
              HasSubstr("support: expected a column 'target' (rows.target of scenario small-rows), got x"));
}

TEST(LiveRowModelTest, FeaturesMayBeMissing) {
  RowQuestion question = question_with(2);
  question.query.rows[0] = {" ", std::nullopt};
  question.task["age"] = std::nullopt;
  EXPECT_EQ(complaint_about(question), "answered");
}

}  // namespace
}  // namespace fewshop
