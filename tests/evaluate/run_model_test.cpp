#include "evaluate/run_model.h"

#include <cmath>

#include "core/error.h"
#include "evaluate/report.h"

namespace fewshop {
namespace {

/// A member whose answers can be worked out in the head: the mean of the support's targets (`own` of it, the rest is
/// `constant`) plus the item's number times `slope`. It records nothing but its support.
class PlainMember : public Member {
 public:
  PlainMember(std::string name, double own, double constant, double slope)
      : name_(std::move(name)), own_(own), constant_(constant), slope_(slope) {}

  struct Mean : Workspace {
    double mean = 0;
  };

  std::string_view name() const override { return name_; }
  std::unique_ptr<Workspace> workspace() const override { return std::make_unique<Mean>(); }
  void adapt(const TaskView& task, Workspace& workspace) const override {
    double sum = 0;
    for (const auto& row : task.support) sum += row.target;
    static_cast<Mean&>(workspace).mean = task.support.empty() ? 0 : sum / static_cast<double>(task.support.size());
  }
  void score(const Workspace& workspace, std::span<const int32_t> items, std::span<float> score,
             std::span<float> variance) const override {
    for (size_t i = 0; i < score.size(); ++i) score[i] = value(workspace, items[i]);
    for (auto& v : variance) v = 0.25F;
  }
  void score_all(const Workspace& workspace, std::span<float> score) const override {
    for (size_t i = 0; i < score.size(); ++i) score[i] = value(workspace, static_cast<int32_t>(i));
  }
  double explain(const Workspace& workspace, int32_t item, std::span<double>) const override {
    return value(workspace, item);
  }
  void add_item(std::span<const ColumnView>) override { ++added; }
  void save(TensorFile&) const override {}

  int added = 0;

 private:
  float value(const Workspace& workspace, int32_t item) const {
    return static_cast<float>(own_ * static_cast<const Mean&>(workspace).mean + (1 - own_) * constant_ + slope_ * item);
  }
  std::string name_;
  double own_, constant_, slope_;
};

/// Three users; their rows are all test rows, the last two of each are the query.
LoadedProblem small_problem(Problem problem) {
  LoadedProblem p;
  p.scenario.name = "small";
  p.scenario.problem = problem;
  p.scenario.metrics = problem == Problem::kRating ? std::vector<std::string>{"mae", "ndcg@2"}
                                                   : std::vector<std::string>{"mrr@5", "recall@2"};
  p.scenario.episode.query_count = 2;
  p.scenario.episode.shots = {{0, 0}, {1, 0}};
  Dataset& d = p.data;
  d.item_ids = {"a", "b", "c", "d", "e"};
  d.kinds = {""};
  d.task_begin = {0};
  const std::vector<std::vector<std::pair<int, float>>> users{
      {{0, 4}, {1, 2}, {2, 3}, {3, 5}}, {{4, 1}, {2, 1}, {0, 2}}, {{1, 5}, {3, 5}, {4, 4}, {0, 5}}};
  for (size_t u = 0; u < users.size(); ++u) {
    TaskRows rows{static_cast<int32_t>(u), {}};
    for (size_t i = 0; i < users[u].size(); ++i) {
      rows.rows.push_back(static_cast<int32_t>(d.item.size()));
      d.task.push_back(static_cast<int32_t>(u));
      d.item.push_back(users[u][i].first);
      d.target.push_back(problem == Problem::kRating ? users[u][i].second : 1);
      d.weight.push_back(1);
      d.time.push_back(0);
      d.kind.push_back(0);
      d.group.push_back(static_cast<int32_t>(i));
      d.source.push_back(static_cast<int64_t>(d.source.size()));
    }
    d.task_begin.push_back(static_cast<int64_t>(d.item.size()));
    d.task_ids.push_back("user" + std::to_string(9 - u));
    if (p.partition.test.empty()) p.partition.test.push_back({"test", {}});
    p.partition.test[0].tasks.push_back(std::move(rows));
  }
  return p;
}

/// The learner is the support mean, the baseline the constant 3 (both plus `slope` per item number).
Model small_model(Problem problem, const std::vector<std::string>& items, double slope, bool open) {
  Model::Parts parts;
  parts.scenario.problem = problem;
  parts.item_ids = items;
  parts.kinds = {""};
  parts.item_counts.assign(items.size(), 10);
  parts.members.push_back(std::make_unique<PlainMember>("constant", 0, 3, slope));
  parts.members.push_back(std::make_unique<PlainMember>("mean", 1, 0, -slope));
  parts.baselines = {"constant"};
  parts.learner = "mean";
  parts.best_baseline = "constant";
  parts.gate.sizes = {0};
  parts.gate.baseline = {0};
  parts.gate.open.assign(kItemCells, open);
  parts.target_low = 0;
  parts.target_high = 5;
  return Model(std::move(parts));
}

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
