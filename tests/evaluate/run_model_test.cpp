#include "evaluate/run_model.h"

#include <cmath>

#include "core/error.h"
#include "evaluate/report.h"
#include "small_problem.h"

namespace fewshop {
namespace {

TEST(RunModelTest, AsksEveryMethodAtEveryPoint) {
  const LoadedProblem problem = small_problem(Problem::kRating);
  Model model = small_model(Problem::kRating, problem.data.item_ids, 0, true);
  const Outcomes outcomes = run_model(model, problem, {.threads = 1, .timing = false});
  EXPECT_EQ(outcomes.methods, (std::vector<std::string>{"served", "adapted", "constant"}));
  EXPECT_EQ(outcomes.best_baseline, "constant");
  ASSERT_EQ(outcomes.splits.size(), 1u);
  const SplitOutcome& split = outcomes.splits[0];
  ASSERT_EQ(split.shots.size(), 2u);
  EXPECT_EQ(split.shots[1].label, "1");
  const TaskOutcome& first = split.headline.tasks.at(0);
  EXPECT_EQ(first.support, 2);
  EXPECT_EQ(first.target, (std::vector<float>{3, 5}));
  EXPECT_EQ(first.answers[0].score, (std::vector<float>{3, 3}));  // mean of 4 and 2
  EXPECT_EQ(first.answers[0].variance, (std::vector<float>{0.25, 0.25}));
  EXPECT_EQ(first.answers[2].score, (std::vector<float>{3, 3}));
  EXPECT_EQ(split.shots[1].tasks[0].answers[1].score, (std::vector<float>{4, 4}));
  EXPECT_EQ(split.shots[0].tasks[0].answers[1].score, (std::vector<float>{0, 0}));
  EXPECT_EQ(first.adapted, (std::vector<uint8_t>{1, 1}));
}

TEST(RunModelTest, ShutGateServesTheBaseline) {
  const LoadedProblem problem = small_problem(Problem::kRating);
  Model model = small_model(Problem::kRating, problem.data.item_ids, 0, false);
  const Outcomes outcomes = run_model(model, problem, {.threads = 1, .timing = false});
  for (const auto& task : outcomes.splits[0].shots[1].tasks) {
    EXPECT_EQ(task.answers[0].score, task.answers[2].score);
    EXPECT_EQ(task.adapted, (std::vector<uint8_t>{0, 0}));
  }
}

TEST(RunModelTest, ItemsThatTheModelDoesNotKnowAreMadeKnownAndCold) {
  const LoadedProblem problem = small_problem(Problem::kRating);
  Model model = small_model(Problem::kRating, {"e", "a", "b", "c"}, 0, true);  // other order, no "d"
  const Outcomes outcomes = run_model(model, problem, {.threads = 1, .timing = false});
  EXPECT_EQ(model.item_ids().size(), 5u);
  EXPECT_EQ(model.find_item("d"), 4);
  EXPECT_EQ(outcomes.splits[0].headline.tasks[0].cold, (std::vector<uint8_t>{0, 1}));  // items c and d
}

TEST(RunModelTest, RanksAmongCandidatesWithoutTheSupport) {
  LoadedProblem problem = small_problem(Problem::kRanking);
  Model model = small_model(Problem::kRanking, problem.data.item_ids, 1, true);
  const Outcomes outcomes = run_model(model, problem, {.threads = 1, .timing = false});
  // First user: support a and b are excluded, candidates c, d, e; the learner prefers low numbers, the baseline high.
  const TaskOutcome& first = outcomes.splits[0].headline.tasks.at(0);
  EXPECT_EQ(first.candidates, 3);
  EXPECT_EQ(first.answers[0].rank, (std::vector<int32_t>{0, 1}));
  EXPECT_EQ(first.answers[1].rank, first.answers[0].rank);
  EXPECT_EQ(first.answers[2].rank, (std::vector<int32_t>{2, 1}));
  problem.scenario.exclude_seen = false;
  const Outcomes included = run_model(model, problem, {.threads = 1, .timing = false});
  const TaskOutcome& same = included.splits[0].headline.tasks.at(0);
  EXPECT_EQ(same.candidates, 5);
  EXPECT_EQ(same.answers[0].rank, (std::vector<int32_t>{2, 3}));
}

TEST(RunModelTest, AdaptedRanksAreThoseOfTheStack) {
  const LoadedProblem problem = small_problem(Problem::kRanking);
  const auto with_weights = [&](float constant, float mean) {
    Model::Parts parts;
    parts.scenario.problem = Problem::kRanking;
    parts.item_ids = problem.data.item_ids;
    parts.kinds = {""};
    parts.item_counts.assign(5, 10);
    parts.members.push_back(std::make_unique<PlainMember>("constant", 0, 3, 1));
    parts.members.push_back(std::make_unique<PlainMember>("mean", 1, 0, -1));
    parts.baselines = {"constant"};
    parts.learner = "mean";
    parts.gate.enabled = false;
    parts.stack.members = {1, 0};
    for (int cell = 0; cell < kItemCells; ++cell)
      for (const float weight : {mean, constant, 0.0F})
        for (int b = 0; b < Stack::kBasis; ++b) parts.stack.coefficient.push_back(b == 0 ? weight : 0);
    Model model(std::move(parts));
    return run_model(model, problem, {.threads = 1, .timing = false}).splits[0].headline.tasks.at(0);
  };
  const TaskOutcome like_baseline = with_weights(1, 0.5), like_learner = with_weights(0.5, 1);
  EXPECT_EQ(like_baseline.answers[1].rank, like_baseline.answers[2].rank);
  EXPECT_EQ(like_learner.answers[1].rank, (std::vector<int32_t>{0, 1}));
  EXPECT_EQ(like_learner.answers[0].rank, like_learner.answers[1].rank);
}

TEST(RunModelTest, NumberOfThreadsDoesNotChangeTheReport) {
  for (const Problem kind : {Problem::kRating, Problem::kRanking}) {
    const LoadedProblem problem = small_problem(kind);
    Model model = small_model(kind, problem.data.item_ids, 0.01, true);
    EXPECT_EQ(report(run_model(model, problem, {.threads = 1, .timing = false})).dump(),
              report(run_model(model, problem, {.threads = 3, .timing = false})).dump());
  }
}

TEST(RunModelTest, BaselinesAloneAnswerForTheLearner) {
  const LoadedProblem problem = small_problem(Problem::kRating);
  Model::Parts parts;
  parts.item_ids = problem.data.item_ids;
  parts.item_counts.assign(5, 1);
  parts.kinds = {""};
  parts.members.push_back(std::make_unique<PlainMember>("constant", 0, 3, 0));
  parts.baselines = {"constant"};
  parts.best_baseline = "constant";
  parts.target_high = 5;
  Model model(std::move(parts));
  const Outcomes outcomes = run_model(model, problem, {.threads = 1, .timing = false});
  const TaskOutcome& first = outcomes.splits[0].headline.tasks.at(0);
  EXPECT_EQ(first.answers[0].score, first.answers[2].score);
  EXPECT_EQ(first.answers[1].score, first.answers[2].score);
  EXPECT_EQ(first.adapted, (std::vector<uint8_t>{0, 0}));
}

TEST(RunModelTest, PredictionsThatAreNotFiniteAreRefused) {
  const LoadedProblem problem = small_problem(Problem::kRating);
  Model::Parts parts;
  parts.item_ids = problem.data.item_ids;
  parts.item_counts.assign(5, 1);
  parts.kinds = {""};
  parts.members.push_back(std::make_unique<PlainMember>("constant", 0, std::nan(""), 0));
  parts.baselines = {"constant"};
  Model model(std::move(parts));
  EXPECT_THROW(run_model(model, problem, {.threads = 1, .timing = false}), Failure);
}

TEST(RunModelTest, TimingIsMeasured) {
  const LoadedProblem problem = small_problem(Problem::kRating);
  Model model = small_model(Problem::kRating, problem.data.item_ids, 0, true);
  const Outcomes outcomes = run_model(model, problem, {.threads = 1});
  EXPECT_GT(outcomes.timing.adapt_us_p50, 0);
  EXPECT_GE(outcomes.timing.adapt_us_p99, outcomes.timing.adapt_us_p50);
  EXPECT_GT(outcomes.timing.predict_us, 0);
}

TEST(TaskUnitsTest, FollowTaskValuesNotTheirOrder) {
  Dataset a, b;
  a.task_ids = {"x", "y", "z"};
  b.task_ids = {"z", "x", "y"};
  EXPECT_EQ(task_units(a), (std::vector<int32_t>{0, 1, 2}));
  EXPECT_EQ(task_units(b), (std::vector<int32_t>{2, 0, 1}));
  a.task_ids = {"x", "x", "y"};  // one value in two splits
  EXPECT_EQ(task_units(a), (std::vector<int32_t>{0, 0, 1}));
}

}  // namespace
}  // namespace fewshop
