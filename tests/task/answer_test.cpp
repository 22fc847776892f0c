#include "task/answer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/random.h"
#include "runtime/model_contract.h"
#include "runtime/small_model.h"
#include "support/temp_dir.h"
#include "table/text_rows.h"
#include "task/database.h"
#include "task/model_data.h"

namespace fewshop {
namespace {

using testing::small_model;
using testing::SmallModelOptions;

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

TEST_P(AnswerTest, ContributionsOfAllRowsAndThePriorAddUpToTheScoreThatRanks) {
  const auto model = small_model({.problem = GetParam(), .low = -1e30F, .high = 1e30F});
  Random random(3);
  for (const int size : {0, 1, 5, 40}) {
    std::vector<std::string> items;
    for (int i = 0; i < size; ++i) items.push_back("item-" + std::to_string(random.below(1500)));
    const TaskInput input = input_of(*model, items);
    const Recommendation answer = recommend(*model, "t", input, {.explain = true, .hidden = {}});
    ASSERT_EQ(answer.items.size(), 10);
    std::vector<std::string> ids;
    for (const RecommendedItem& item : answer.items) ids.push_back(item.item);
    const auto predictions = predict(*model, input, ids);
    for (size_t i = 0; i < ids.size(); ++i) {
      const RecommendedItem& item = answer.items[i];
      ASSERT_EQ(item.reasons.size(), items.size());
      double sum = item.prior, magnitude = std::abs(item.prior);
      for (const Reason& reason : item.reasons) {
        EXPECT_EQ(reason.item, items[reason.row]);
        sum += reason.contribution;
        magnitude += std::abs(reason.contribution);
      }
      EXPECT_NEAR(predictions[i].value, sum, 1e-6 * magnitude) << size;
      EXPECT_EQ(item.score, predictions[i].value) << "what is shown is what ranks";
      EXPECT_EQ(item.prediction, predictions[i].value);
      if (i > 0) {
        EXPECT_GE(answer.items[i - 1].score, item.score) << "best first";
      }
    }
  }
}

TEST(AnswerRatingTest, APredictionIsCutToTheRangeOfRatingsAndTheScoreIsNot) {
  const auto clipped = small_model({.problem = Problem::kRating, .low = 3, .high = 4}),
             whole = small_model({.problem = Problem::kRating, .low = -1e30F, .high = 1e30F});
  const TaskInput input = input_of(*clipped, {"item-3", "item-9", "item-700"});
  int cut = 0;
  for (const RecommendedItem& item :
       recommend(*clipped, "t", input, {.count = 1500, .explain = true, .hidden = {}}).items) {
    double sum = item.prior, magnitude = std::abs(item.prior);
    for (const Reason& reason : item.reasons) {
      sum += reason.contribution;
      magnitude += std::abs(reason.contribution);
    }
    const double score = predict(*whole, input, std::vector<std::string>{item.item})[0].value;
    EXPECT_NEAR(item.score, sum, 1e-6 * magnitude);
    EXPECT_NEAR(item.score, score, 1e-6 * magnitude);
    EXPECT_EQ(item.prediction, static_cast<float>(std::clamp(score, 3.0, 4.0)));
    cut += score < 3 || score > 4;
  }
  EXPECT_GT(cut, 100);
}

// ---- a row that is taken away, where rows come from

/// One event of a task as text.
struct Event {
  std::string item, rating, time, event, weight;
};

std::vector<Event> some_events() {
  std::vector<Event> events;
  for (int i = 0; i < 7; ++i)
    events.push_back({"item-" + std::to_string(i % 5 * 50 + 3), std::to_string(1 + i % 5),
                      std::to_string(1'700'000'000 + i * i * 86'400), i % 3 ? "purchase" : "view_item",
                      i % 2 ? "1" : "0.7"});
  return events;
}

std::vector<Event> without(std::vector<Event> events, size_t row) {
  events.erase(events.begin() + static_cast<std::ptrdiff_t>(row));
  return events;
}

TaskInput from_file(const Model& model, const testing::TempDir& folder, const std::vector<Event>& events) {
  std::string text = "item_id,rating,time,event,weight,age\n";
  for (const Event& e : events)
    text += e.item + "," + e.rating + "," + e.time + "," + e.event + "," + e.weight + ",old\n";
  const TextRows rows = read_text_rows(folder.write("rows.csv", text));
  return task_input(model, rows, description_in(model, rows));
}

/// A shop in which the task "asked" has these events.
void write_shop(const testing::Database& database, const std::vector<Event>& events) {
  std::vector<testing::Cells> rows, items, users;
  const auto add = [&](const std::string& user, const Event& e) {
    rows.push_back({user, e.item, e.rating, e.time, e.event, e.weight});
  };
  for (int u = 0; u < 12; ++u) {
    for (Event e : some_events()) {
      e.item = "item-" + std::to_string(u * 7 + std::stoi(e.rating));
      add("u" + std::to_string(u), e);
    }
    users.push_back({"u" + std::to_string(u), u % 2 ? "young" : "old"});
    if (u == 5)
      for (const Event& e : events) add("asked", e);
  }
  users.push_back({"asked", "old"});
  for (int i = 0; i < 300; ++i) items.push_back({"item-" + std::to_string(i), i % 2 ? "red" : "blue"});
  const auto text = ColumnType::kText;
  database.write("events",
                 {{"user_id", text},
                  {"item_id", text},
                  {"rating", ColumnType::kReal},
                  {"time", ColumnType::kInteger},
                  {"event", text},
                  {"weight", ColumnType::kReal}},
                 rows);
  database.write("items", {{"item_id", text}, {"colour", text}}, items);
  database.write("users", {{"user_id", text}, {"age", text}}, users);
}

/// One session of `model` adapts to `with`, then to `rest`; the answers have the bits of those of a model and a session
/// that have met nothing but `never`.
void expect_forgotten(const Model& model, const TaskInput& with, const TaskInput& rest, const Model& other,
                      const TaskInput& never) {
  ASSERT_EQ(with.support.size(), rest.support.size() + 1);
  const auto used = model.session(), fresh = other.session();
  const auto before = testing::answers(model, *used, with.view());
  const auto after = testing::answers(model, *used, rest.view());
  EXPECT_TRUE(after == testing::answers(other, *fresh, never.view()));
  EXPECT_FALSE(before.scores == after.scores) << "the row counted while it was there";
  const RecommendOptions options{.explain = true, .hidden = {}};
  const auto first = recommend(model, "asked", with, options);
  EXPECT_EQ(to_json(recommend(model, "asked", rest, options)).dump(),
            to_json(recommend(other, "asked", never, options)).dump());
  EXPECT_NE(to_json(first).dump(), to_json(recommend(model, "asked", rest, options)).dump());
}

TEST_P(AnswerTest, ARowThatIsTakenOutOfAFileLeavesNoTrace) {
  const SmallModelOptions options{.problem = GetParam(), .items = 750, .events = true};
  const auto model = small_model(options);
  const testing::TempDir folder;
  const auto events = some_events();
  for (size_t row = 0; row < events.size(); ++row) {
    const TaskInput with = from_file(*model, folder, events);
    const auto other = small_model(options);
    expect_forgotten(*model, with, from_file(*model, folder, without(events, row)), *other,
                     from_file(*other, folder, without(events, row)));
  }
}

TEST_P(AnswerTest, ARowThatIsTakenOutOfTheDatabaseLeavesNoTrace) {
  const auto events = some_events();
  for (const bool by_time : {true, false}) {
    const SmallModelOptions options{.problem = GetParam(), .items = 300, .events = true, .by_time = by_time};
    for (const size_t row : {0, 3, 6}) {
      const testing::Database kept, clean;
      const auto model = small_model(options), other = small_model(options);
      write_shop(kept, events);
      const TaskInput with = ModelData(*model, kept.path()).task("asked", std::nullopt);
      write_shop(kept, without(events, row));
      const TaskInput rest = ModelData(*model, kept.path()).task("asked", std::nullopt);
      write_shop(clean, without(events, row));
      const TaskInput never = ModelData(*other, clean.path()).task("asked", std::nullopt);
      expect_forgotten(*model, with, rest, *other, never);
    }
  }
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
