#include "evaluate/candidate_recall.h"

#include <gtest/gtest.h>

#include "small_problem.h"

namespace fewshop {
namespace {

/// The three users of small_problem among `items` items "a" to "e", "item5", ...; they are validation tasks.
LoadedProblem problem_of(int items) {
  LoadedProblem problem = small_problem(Problem::kRanking);
  for (int i = 5; i < items; ++i) problem.data.item_ids.push_back("item" + std::to_string(i));
  problem.partition.valid = std::move(problem.partition.test[0].tasks);
  problem.partition.test.clear();
  return problem;
}

/// A learner that ranks by item number (high first where `rising`) and names no candidates of its own: what is left are
/// the most frequent items. `frequent` of the ten highest numbers are more frequent than all others, of which low
/// numbers are the more frequent ones.
Model model_of(const LoadedProblem& problem, bool rising, int frequent, bool open = true) {
  Model::Parts parts;
  parts.scenario.problem = Problem::kRanking;
  parts.item_ids = problem.data.item_ids;
  parts.kinds = {""};
  const auto items = static_cast<int32_t>(parts.item_ids.size());
  for (int32_t i = 0; i < items; ++i) parts.item_counts.push_back(i >= items - frequent ? 10'000 : items - i);
  parts.members.push_back(std::make_unique<PlainMember>("constant", 0, 3, 0));
  parts.members.push_back(std::make_unique<PlainMember>("mean", 1, 0, rising ? 1 : -1));
  parts.baselines = {"constant"};
  parts.learner = "mean";
  parts.best_baseline = "constant";
  parts.gate.sizes = {0};
  parts.gate.baseline = {0};
  parts.gate.open.assign(kItemCells, open);
  return Model(std::move(parts));
}

double recall(const Model& model, const LoadedProblem& problem, const CandidateRecallOptions& options = {}) {
  return candidate_recall(model, problem, options).value().recall;
}

TEST(CandidateRecallTest, IsTheShareOfTheBestTenAmongTheCandidates) {
  const LoadedProblem problem = problem_of(1000);
  EXPECT_EQ(recall(model_of(problem, true, 0), problem), 0);
  EXPECT_EQ(recall(model_of(problem, true, 4), problem), 0.4);
  EXPECT_EQ(recall(model_of(problem, true, 4), problem, {.best = 8}), 0.5);
  EXPECT_EQ(recall(model_of(problem, false, 0), problem), 1);
}

TEST(CandidateRecallTest, IsOneWhereEverythingIsACandidate) {
  for (const int items : {6, 700}) {
    const LoadedProblem problem = problem_of(items);
    EXPECT_EQ(recall(model_of(problem, true, 0), problem), 1);
  }
  const LoadedProblem larger = problem_of(710);  // 700 or fewer may be answers where a few are seen already
  EXPECT_EQ(recall(model_of(larger, true, 0), larger), 0);
}

TEST(CandidateRecallTest, NumberOfThreadsChangesNothing) {
  const LoadedProblem problem = problem_of(1000);
  const Model model = model_of(problem, true, 3);
  EXPECT_EQ(recall(model, problem, {.threads = 1}), recall(model, problem, {.threads = 3}));
}

TEST(CandidateRecallTest, IsNothingWhereNoStackIsServed) {
  LoadedProblem problem = problem_of(1000);
  EXPECT_FALSE(candidate_recall(model_of(problem, true, 0, false), problem));
  const Model model = model_of(problem, true, 0);
  problem.partition.valid.clear();
  EXPECT_FALSE(candidate_recall(model, problem));
  problem = small_problem(Problem::kRating);
  EXPECT_FALSE(candidate_recall(small_model(Problem::kRating, problem.data.item_ids, 0, true), problem));
}

TEST(CandidateRecallTest, TheDepthIsChosenByTheTasks) {
  // 300 tasks that want the ten highest numbers: the most frequent ten, or four of them and the six least frequent.
  LoadedProblem problem = problem_of(1000);
  const auto once = problem.partition.valid;
  EXPECT_EQ(candidate_recall(model_of(problem, true, 10), problem)->depth, 500) << "too few tasks to tell";
  while (problem.partition.valid.size() < 300)
    problem.partition.valid.insert(problem.partition.valid.end(), once.begin(), once.end());
  EXPECT_EQ(candidate_recall(model_of(problem, true, 10), problem)->depth, 50);
  EXPECT_EQ(candidate_recall(model_of(problem, true, 4), problem)->depth, 1000);
}

}  // namespace
}  // namespace fewshop
