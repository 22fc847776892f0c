#include "learner/budget.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scenario/read.h"

namespace fewshop {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

Scenario scenario(const std::string& more, bool ranking = true) {
  return parse_scenario(
      "[rows]\ntable = 'log'\ntask = 'user'\nitem = 'item'\n" + std::string(ranking ? "" : "target = 'stars'\n") + more,
      "log.toml");
}

TEST(BudgetTest, WhatEndsInTimeIsNotChanged) {
  for (const bool ranking : {true, false}) {
    Scenario s = scenario("", ranking);
    const Budget budget = fit_budget(s, {40'000, 2'700, 170});
    EXPECT_TRUE(budget.within);
    EXPECT_THAT(budget.changes, IsEmpty());
    EXPECT_EQ(scenario_to_json(s), scenario_to_json(scenario("", ranking)));
  }
}

TEST(BudgetTest, ALargeRankingIsBroughtWithinTheBudgetAndEveryChangeIsNamed) {
  Scenario s = scenario("");
  const ProblemSize size{70'000, 7'000, 20'000};
  EXPECT_GT(expected_seconds(s, size), 10 * kBudgetSeconds);
  const Budget budget = fit_budget(s, size);
  EXPECT_TRUE(budget.within);
  EXPECT_LE(budget.seconds, kBudgetSeconds);
  EXPECT_NEAR(budget.seconds, expected_seconds(s, size), 1e-9);
  EXPECT_THAT(s.baselines, Not(Contains("ease")));
  EXPECT_THAT(s.baselines, Contains("als"));
  EXPECT_EQ(budget.left_out, "ease");
  EXPECT_THAT(budget.changes, Contains(HasSubstr("ease is left out: with 20000 items")));
  for (const auto& [option, value] : s.learner_options.items())
    EXPECT_THAT(budget.changes, Contains(HasSubstr(option + " = " + value.dump())));
}

TEST(BudgetTest, WhatTheScenarioSaysStays) {
  Scenario s = scenario("[learner]\nepochs = 50\n[report]\nbaselines = ['ease']\n");
  const Budget budget = fit_budget(s, {70'000, 7'000, 20'000});
  EXPECT_EQ(s.learner_options["epochs"], 50);
  EXPECT_THAT(s.baselines, Contains("ease"));
  EXPECT_FALSE(budget.within) << "and it is said to take longer";
}

TEST(BudgetTest, MoreOfAnythingCostsMore) {
  // With a number of epochs: of its own accord a training passes more often over fewer tasks.
  const std::string epochs = "[learner]\nepochs = 20\n";
  const Scenario ranking = scenario(epochs), rating = scenario(epochs, false);
  const ProblemSize size{10'000, 1'000, 1'000};
  const double seconds = expected_seconds(ranking, size);
  EXPECT_GT(expected_seconds(ranking, {10'000, 2'000, 1'000}), seconds);
  EXPECT_GT(expected_seconds(ranking, {10'000, 1'000, 2'000}), seconds);
  EXPECT_GT(expected_seconds(scenario("[learner]\nfolds = 9\n"), size), seconds);
  EXPECT_GT(expected_seconds(rating, {20'000, 1'000, 1'000}), expected_seconds(rating, size));
}

}  // namespace
}  // namespace fewshop
