#include "recent_popularity.h"

#include <gtest/gtest.h>

#include <cmath>

#include "bundle/tensor_file.h"
#include "recent_popularity_member.h"

namespace fewshop {
namespace {

/// Two customers; item 0 was bought three times long ago, item 1 twice just now, item 2 never.
Dataset shop() {
  Dataset data;
  data.task = {0, 0, 0, 1, 1};
  data.item = {0, 0, 0, 1, 1};
  data.target = {1, 1, 1, 1, 1};
  data.weight = {1, 1, 1, 1, 1};
  data.time = {0, 0, 0, 100 * kDay, 100 * kDay};
  data.kind = {0, 0, 0, 0, 0};
  data.group = {0, 1, 2, 0, 1};
  data.task_begin = {0, 3, 5};
  data.task_ids = {"ann", "ben"};
  data.item_ids = {"tea", "coffee", "cocoa"};
  return data;
}

class RecentPopularityTest : public ::testing::Test {
 protected:
  std::unique_ptr<Member> fit(double half_life_days, double repeat) {
    const FitInput input{data_, scenario_, tasks_, nullptr};
    return std::move(
        recent_popularity_baseline().fit(input, {{{"half_life_days", half_life_days}, {"repeat", repeat}}}).front());
  }

  Dataset data_ = shop();
  Scenario scenario_;
  TaskSet tasks_{{0, {0, 1, 2}}, {1, {3, 4}}};
};

TEST_F(RecentPopularityTest, OldRowsCountLess) {
  std::vector<float> score(3);
  const auto slow = fit(1e5, 0), fast = fit(10, 0);
  const auto workspace = slow->workspace();
  slow->adapt({}, *workspace);
  slow->score_all(*workspace, score);
  EXPECT_GT(score[0], score[1]) << "three rows against two";
  EXPECT_NEAR(score[0], std::log((1 + 3) / (3 + 5.0)), 1e-3);

  const auto other = fast->workspace();
  fast->adapt({}, *other);
  fast->score_all(*other, score);
  EXPECT_LT(score[0], score[1]) << "ten half-lives ago";
  EXPECT_LT(score[2], score[0]) << "never";
}

TEST_F(RecentPopularityTest, WhatTheTaskBoughtComesAgainAndTheExplanationAddsUp) {
  const auto member = fit(10, 2);
  const auto workspace = member->workspace();
  const std::vector<SupportRow> support{{.item = 2, .target = 1, .age = 10 * 86'400.0F}, {.item = 1, .target = 1}};
  member->adapt({support, {}}, *workspace);

  std::vector<double> contribution(2);
  const double prior = member->explain(*workspace, 2, contribution);
  EXPECT_FLOAT_EQ(contribution[0], 2 * 0.5F) << "one half-life old";
  EXPECT_EQ(contribution[1], 0) << "another item";
  std::vector<float> score(1), all(3), variance(1);
  member->score(*workspace, std::vector<int32_t>{2}, score, variance);
  EXPECT_NEAR(score[0], prior + contribution[0] + contribution[1], 1e-6);
  member->score_all(*workspace, all);
  EXPECT_FLOAT_EQ(all[2], score[0]);
}

TEST_F(RecentPopularityTest, ItemsThatTrainingMustNotSeeGetTheScoreOfUnseenOnes) {
  const std::vector<uint8_t> hidden{0, 1, 0};
  const FitInput input{data_, scenario_, tasks_, &hidden};
  const auto member = std::move(recent_popularity_baseline().fit(input, {nlohmann::json::object()}).front());
  const auto workspace = member->workspace();
  member->adapt({}, *workspace);
  std::vector<float> score(2), variance(2);
  member->score(*workspace, std::vector<int32_t>{1, 99}, score, variance);
  EXPECT_FLOAT_EQ(score[0], score[1]);
}

TEST_F(RecentPopularityTest, AMemberThatIsSavedAndLoadedAnswersAlike) {
  const auto member = fit(30, 1);
  TensorFile file;
  member->save(file);
  const auto again = RecentPopularityMember::load(TensorFile::parse(file.serialize(), "test"));
  std::vector<float> first(3), second(3);
  const auto a = member->workspace(), b = again->workspace();
  member->adapt({}, *a);
  again->adapt({}, *b);
  member->score_all(*a, first);
  again->score_all(*b, second);
  EXPECT_EQ(first, second);
}

}  // namespace
}  // namespace fewshop
