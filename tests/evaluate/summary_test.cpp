#include "evaluate/summary.h"

#include <cmath>

#include "outcomes.h"

namespace fewshop {
namespace {

Summary of(const Outcomes& outcomes, ItemGroup group = ItemGroup::kAll, BootstrapOptions options = {}) {
  return summarize(outcomes, outcomes.splits[0].headline, parse_metrics(outcomes.metrics, outcomes.problem), group,
                   positive_threshold(outcomes), options);
}

/// One task of a rating problem, all methods answering alike.
TaskOutcome task_of(int unit, std::vector<float> target, std::vector<float> score) {
  TaskOutcome task;
  task.unit = unit;
  task.cold.assign(target.size(), 0);
  task.adapted.assign(target.size(), 1);
  task.answers.assign(2, {score, {}, {}});
  task.target = std::move(target);
  return task;
}

Outcomes with_tasks(std::vector<TaskOutcome> tasks, std::vector<std::string> metrics) {
  Outcomes outcomes;
  outcomes.metrics = std::move(metrics);
  outcomes.methods = {"served", "adapted"};
  outcomes.splits.push_back({"test", {"headline", std::move(tasks)}, {}});
  return outcomes;
}

TEST(SummaryTest, MaeIsAMeanOverTasksAndRmseOverRows) {
  const Outcomes outcomes = with_tasks({task_of(0, {1}, {3}), task_of(1, {2, 2, 2}, {2, 2, 3})}, {"mae", "rmse"});
  const Summary summary = of(outcomes);
  EXPECT_EQ(summary.tasks, 2);
  EXPECT_EQ(summary.rows, 4);
  EXPECT_NEAR(summary.values[0][0].value, (2.0 + 1.0 / 3) / 2, 1e-9);
  EXPECT_NEAR(summary.values[0][1].value, std::sqrt((4 + 1) / 4.0), 1e-9);
}

TEST(SummaryTest, AucIsOverAllQueryRows) {
  // Within each task every pair is right; across tasks the 4 of the second task scores below the 1 of the first.
  const Outcomes outcomes = with_tasks({task_of(0, {5, 1}, {9, 8}), task_of(1, {4, 2}, {7, 6})}, {"auc", "gauc"});
  const Summary summary = of(outcomes);
  EXPECT_NEAR(summary.values[0][0].value, 3.0 / 4, 1e-9);
  EXPECT_NEAR(summary.values[0][1].value, 1, 1e-9);
}

TEST(SummaryTest, RepeatedTaskValuesDoNotNarrowTheInterval) {
  Outcomes once = made_up_ratings(60, 0.5, 1), thrice = once;
  auto& tasks = thrice.splits[0].headline.tasks;
  const auto copy = tasks;
  for (int i = 0; i < 2; ++i) tasks.insert(tasks.end(), copy.begin(), copy.end());
  const Interval a = of(once).values[0][0], b = of(thrice).values[0][0];
  EXPECT_NEAR(a.value, b.value, 1e-12);
  EXPECT_NEAR(a.high - a.low, b.high - b.low, 1e-12);
  for (size_t t = 0; t < tasks.size(); ++t) tasks[t].unit = static_cast<int32_t>(t);  // as if they were other users
  const Interval c = of(thrice).values[0][0];
  EXPECT_LT(c.high - c.low, 0.75 * (a.high - a.low));
}

TEST(SummaryTest, PairedDifferencesAreNarrowerThanTheTwoIntervals) {
  // A baseline that is the served answer plus a constant shift of the error: differences hardly vary.
  Outcomes outcomes = made_up_ratings(80, 0.8, 0.8);
  for (auto& task : outcomes.splits[0].headline.tasks)
    for (size_t q = 0; q < task.target.size(); ++q) {
      const float error = task.answers[0].score[q] - task.target[q];
      task.answers[2].score[q] = task.target[q] + (error > 0 ? error + 0.1f : error - 0.1f);
    }
  const Summary summary = of(outcomes);
  EXPECT_NEAR(summary.paired[2][0].value, -0.1, 1e-6);
  EXPECT_NEAR(summary.paired[2][0].low, -0.1, 1e-4);
  EXPECT_NEAR(summary.paired[2][0].high, -0.1, 1e-4);
  EXPECT_GT(summary.values[0][0].high - summary.values[0][0].low, 0.05);
  EXPECT_EQ(summary.paired[0][0].value, 0);
}

TEST(SummaryTest, ThreadsDoNotChangeTheResult) {
  const Outcomes outcomes = made_up_ratings(300, 0.5, 1);
  const Summary one = of(outcomes, ItemGroup::kAll, {.threads = 1}),
                three = of(outcomes, ItemGroup::kAll, {.threads = 3});
  for (size_t m = 0; m < 3; ++m)
    for (size_t j = 0; j < 4; ++j) {
      EXPECT_EQ(one.values[m][j].low, three.values[m][j].low);
      EXPECT_EQ(one.paired[m][j].high, three.paired[m][j].high);
    }
}

TEST(SummaryTest, CoverageIsTheShareOfTargetsInsideTheStatedInterval) {
  const Outcomes outcomes = made_up_ratings(800, 0.7, 1);  // the stated variance is the true one
  const Summary summary = of(outcomes);
  ASSERT_EQ(summary.coverage.size(), std::size(kNominal));
  for (const auto& [nominal, observed] : summary.coverage) EXPECT_NEAR(observed, nominal, 0.03) << nominal;
}

TEST(SummaryTest, AnswersWithoutVarianceHaveNoCoverage) {
  EXPECT_TRUE(of(with_tasks({task_of(0, {1}, {3})}, {"mae"})).coverage.empty());
}

TEST(SummaryTest, GroupsHoldTheirOwnQueryRows) {
  TaskOutcome task = task_of(0, {1, 2, 3}, {1, 4, 3});
  task.cold = {0, 1, 0};
  task.adapted = {1, 0, 0};
  const Outcomes outcomes = with_tasks({task, task_of(1, {5}, {5})}, {"mae"});
  const Summary cold = of(outcomes, ItemGroup::kCold), warm = of(outcomes, ItemGroup::kWarm);
  EXPECT_EQ(cold.tasks, 1);
  EXPECT_EQ(cold.rows, 1);
  EXPECT_NEAR(cold.values[0][0].value, 2, 1e-9);
  EXPECT_NEAR(cold.served, 0, 1e-9);
  EXPECT_EQ(warm.tasks, 2);
  EXPECT_NEAR(warm.values[0][0].value, 0, 1e-9);
  EXPECT_NEAR(warm.served, 2.0 / 3, 1e-9);
}

TEST(SummaryTest, TheOtherGroupLeavesTheCandidatesOfARanking) {
  TaskOutcome task;
  task.candidates = 10;
  task.target = {1, 1, 1};
  task.cold = {0, 1, 0};
  task.adapted = {1, 1, 1};
  task.answers.assign(2, {{}, {}, {4, 0, 2}});
  Outcomes outcomes = with_tasks({task}, {"mrr@10", "auc"});
  outcomes.problem = Problem::kRanking;
  // Warm items at positions 5 and 3 of 10; without the cold one above them 4 and 2 of 9.
  const Summary warm = of(outcomes, ItemGroup::kWarm);
  EXPECT_NEAR(warm.values[0][0].value, 1.0 / 2, 1e-9);
  EXPECT_NEAR(warm.values[0][1].value, (6 + 5) / 14.0, 1e-9);
  EXPECT_NEAR(of(outcomes, ItemGroup::kCold).values[0][0].value, 1, 1e-9);
}

TEST(SummaryTest, EmptyPointHasNoFigures) {
  const Summary summary = of(with_tasks({}, {"mae", "auc"}));
  EXPECT_EQ(summary.tasks, 0);
  EXPECT_TRUE(std::isnan(summary.values[0][0].value));
  EXPECT_TRUE(std::isnan(summary.values[0][1].value));
  EXPECT_TRUE(std::isnan(summary.served));
}

TEST(SummaryTest, PositivesLieAboveTheMiddleOfTheTargets) {
  EXPECT_FLOAT_EQ(positive_threshold(with_tasks({task_of(0, {1, 5}, {0, 0}), task_of(1, {3}, {0})}, {"mae"})), 3);
  EXPECT_FLOAT_EQ(positive_threshold(with_tasks({task_of(0, {0, 1}, {0, 0})}, {"mae"})), 0.5);
}

TEST(SummaryTest, GaussianIntervalsHaveTheirKnownWidths) {
  EXPECT_NEAR(gaussian_half_width(0.5), 0.6744897502, 1e-9);
  EXPECT_NEAR(gaussian_half_width(0.95), 1.9599639845, 1e-9);
  EXPECT_NEAR(gaussian_half_width(0.1), 0.1256613469, 1e-9);
}

}  // namespace
}  // namespace fewshop
