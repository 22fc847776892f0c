#include "task/answer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/random.h"
#include "runtime/small_model.h"

namespace fewshop {
namespace {

using testing::small_model;

TaskInput input_of(const Model& model, const std::vector<std::string>& items) {
  TaskInput input;
  for (size_t i = 0; i < items.size(); ++i) {
    SupportRow row;
    row.item = model.find_item(items[i]);
    row.target = model.scenario().problem == Problem::kRating ? 1 + static_cast<float>(i % 5) : 1;
    row.age = static_cast<float>(100 * (items.size() - i));
    row.group = static_cast<int32_t>(i);
    input.support.push_back(row);
    input.item_ids.push_back(items[i]);
  }
  input.description = encode_entity(model.encoders().tasks, {{"age", "young"}});
  return input;
}

class AnswerTest : public ::testing::TestWithParam<Problem> {
 protected:
  std::shared_ptr<Model> model_ = small_model({.problem = GetParam()});
};

INSTANTIATE_TEST_SUITE_P(Problems, AnswerTest, ::testing::Values(Problem::kRating, Problem::kRanking));

TEST_P(AnswerTest, ContributionsOfAllRowsAndThePriorAddUpToTheScore) {
  Random random(3);
  for (const int size : {0, 1, 5, 40}) {
    std::vector<std::string> items;
    for (int i = 0; i < size; ++i) items.push_back("item-" + std::to_string(random.below(1500)));
    const TaskInput input = input_of(*model_, items);
    const Recommendation answer = recommend(*model_, "t", input, {.explain = true, .hidden = {}});
    ASSERT_EQ(answer.items.size(), 10);
    std::vector<std::string> ids;
    for (const RecommendedItem& item : answer.items) {
      ASSERT_EQ(item.reasons.size(), items.size());
      double sum = item.prior, magnitude = std::abs(item.prior);
      for (const Reason& reason : item.reasons) {
        EXPECT_EQ(reason.item, items[reason.row]);
        sum += reason.contribution;
        magnitude += std::abs(reason.contribution);
      }
      EXPECT_NEAR(item.score, sum, 1e-6 * magnitude) << size;
      ids.push_back(item.item);
    }
    // The explained score is the score that the model predicts with.
    const auto predictions = predict(*model_, input, ids);
    const double low = model_->parts().target_low, high = model_->parts().target_high;
    for (size_t i = 0; i < ids.size(); ++i) {
      const double score = answer.items[i].score;
      const double expected = GetParam() == Problem::kRating ? std::clamp(score, low, high) : score;
      EXPECT_NEAR(predictions[i].value, expected, 2e-5 * (1 + std::abs(expected))) << size;
      if (i > 0) {
        EXPECT_GE(answer.items[i - 1].prediction, answer.items[i].prediction - 1e-5) << "best first";
      }
    }
  }
}

TEST_P(AnswerTest, WithoutARowTheAnswerIsBitForBitThatOfNeverHavingHadIt) {
  const std::vector<std::string> with{"item-3", "item-9", "item-700"}, without{"item-3", "item-700"};
  TaskInput removed = input_of(*model_, with);
  removed.support.erase(removed.support.begin() + 1);
  removed.item_ids.erase(removed.item_ids.begin() + 1);
  TaskInput never = input_of(*model_, without);
  for (size_t i = 0; i < 2; ++i) never.support[i] = removed.support[i];
  const auto a = to_json(recommend(*model_, "t", removed, {.explain = true, .hidden = {}}));
  const auto b = to_json(recommend(*model_, "t", never, {.explain = true, .hidden = {}}));
  EXPECT_EQ(a.dump(), b.dump());
}

TEST_P(AnswerTest, SupportItemsAndHiddenItemsAreNotRecommended) {
  const TaskInput none = input_of(*model_, {"item-1"});
  const Recommendation first = recommend(*model_, "t", none, {.hidden = {}});
  const std::string best = first.items[0].item;
  const Recommendation second = recommend(*model_, "t", none, {.hidden = {best, "item-unheard-of"}});
  EXPECT_EQ(second.items[0].item, first.items[1].item);
  for (const auto& item : second.items) {
    EXPECT_NE(item.item, best);
    EXPECT_NE(item.item, "item-1");
  }
}

TEST_P(AnswerTest, ServedSaysWhatAnswered) {
  // The small model's gate is shut without support and open from one group on.
  EXPECT_EQ(recommend(*model_, "t", input_of(*model_, {}), {.hidden = {}}).served, model_->parts().baselines.front());
  EXPECT_EQ(recommend(*model_, "t", input_of(*model_, {"item-4"}), {.hidden = {}}).served, "adapted");
}

TEST_P(AnswerTest, WithoutExplainOnlyTheThreeLargestReasonsAreGiven) {
  const TaskInput input = input_of(*model_, {"item-1", "item-2", "item-3", "item-4", "item-5"});
  const auto all = recommend(*model_, "t", input, {.explain = true, .hidden = {}});
  const auto few = recommend(*model_, "t", input, {.explain = false, .hidden = {}});
  ASSERT_EQ(few.items[0].reasons.size(), 3);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(few.items[0].reasons[i].row, all.items[0].reasons[i].row);
  EXPECT_EQ(few.items[0].score, all.items[0].score);
}

TEST_P(AnswerTest, ItemsThatTheModelDoesNotKnowArePredictedAllTheSame) {
  const TaskInput input = input_of(*model_, {"item-1"});
  const auto predictions = predict(*model_, input, std::vector<std::string>{"item-2", "never-seen"});
  ASSERT_EQ(predictions.size(), 2);
  EXPECT_TRUE(std::isfinite(predictions[1].value));
  EXPECT_LE(predictions[1].low, predictions[1].high);
}

}  // namespace
}  // namespace fewshop
