#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "core/random.h"
#include "learner/baseline/glm_fit.h"
#include "learner/baseline/lbfgs.h"
#include "learner/baseline/row_baseline.h"
#include "learner/catalogue.h"
#include "task/database.h"
#include "task/problem.h"
#include "task/row_episode.h"

namespace fewshop {
namespace {

using testing::Cells;
using testing::Database;

constexpr int kTasks = 60, kRows = 30;

/// Tasks whose targets follow eta = level of the task + 1.5 x + 0.7 [red].
LoadedProblem problem_of(const std::string& problem, double level_deviation) {
  static const Database db;
  Random random(5);
  std::vector<Cells> rows;
  for (int t = 0; t < kTasks; ++t) {
    const double level = level_deviation * random.normal();
    for (int r = 0; r < kRows; ++r) {
      const double x = random.normal();
      const bool red = random.uniform() < 0.5;
      const double eta = level + 1.5 * x + (red ? 0.7 : 0);
      std::string target;
      if (problem == "binary")
        target = std::to_string(random.uniform() < sigmoid(eta));
      else if (problem == "regression")
        target = std::to_string(10 + eta + 0.5 * random.normal());
      else if (problem == "count") {
        double left = std::exp(0.5 * eta) - -std::log(1 - random.uniform());
        int n = 0;
        for (; left > 0; ++n) left -= -std::log(1 - random.uniform());
        target = std::to_string(n);
      } else {
        const double latent = eta + std::log(1 / (1 - random.uniform()) - 1);  // logistic noise
        target = std::to_string((latent > -1) + (latent > 1));
      }
      rows.push_back({"t" + std::to_string(t), std::to_string(x), red ? "red" : "blue", target});
    }
  }
  db.write("rows",
           {{"task", ColumnType::kText},
            {"x", ColumnType::kReal},
            {"colour", ColumnType::kText},
            {"target", ColumnType::kReal}},
           rows);
  return load_problem(
      parse_scenario("problem = '" + problem +
                         "'\n[rows]\ntable = 'rows'\ntask = 'task'\ntarget = 'target'\n[episode]\nquery "
                         "= 10\n",
                     "shop.toml"),
      db.path());
}

RowFitInput input_of(const LoadedProblem& p) { return {p.data, p.scenario, p.encoders, p.partition.train, 1, 0}; }

/// Mean log probability of the test tasks' queries at a support size.
double log_score(const LoadedProblem& p, const RowMember& member, int support) {
  double sum = 0;
  int rows = 0;
  const auto workspace = member.workspace();
  for (const auto& task : p.partition.test[0].tasks) {
    Shot shot;
    shot.count = support;
    const auto episode = episode_at(p.data, p.scenario, task, shot);
    const RowEpisode asked = row_episode(p.data, *episode);
    member.adapt(asked.task(), *workspace);
    Predictive out;
    for (size_t q = 0; q < asked.query.size(); ++q) {
      member.predict(*workspace, asked.query[q], out);
      sum += log_prob(out, p.data.target[episode->query[q]]);
      ++rows;
    }
  }
  return sum / rows;
}

std::unique_ptr<RowMember> fit(const LoadedProblem& p, const std::string& name, nlohmann::json constants = {}) {
  const RowFitInput input = input_of(p);
  if (constants.is_null()) constants = nlohmann::json::object();
  return find_row_baseline(name)->prepare(input)->fit(constants);
}

TEST(LbfgsTest, FindsTheLeastOfAQuadraticAndOfRosenbrock) {
  std::vector<double> x{3, -2};
  const double value = minimise(
      [](std::span<const double> at, std::span<double> g) {
        const double a = 1 - at[0], b = at[1] - at[0] * at[0];
        g[0] = -2 * a - 400 * at[0] * b;
        g[1] = 200 * b;
        return a * a + 100 * b * b;
      },
      x, {.steps = 500, .memory = 10, .tolerance = 1e-9});
  EXPECT_NEAR(x[0], 1, 1e-5);
  EXPECT_NEAR(x[1], 1, 1e-5);
  EXPECT_LT(value, 1e-10);
}

TEST(PooledFitTest, RecoversWhatTheDataWasDrawnFrom) {
  for (const char* name : {"binary", "regression", "count", "ordinal"}) {
    const LoadedProblem p = problem_of(name, 0);
    const RowFitInput input = input_of(p);
    const RowMatrix matrix = row_matrix(input);
    const auto parts = fit_pooled(matrix, p.scenario.problem, p.data.classes.size(), 0.01, nullptr, 1);
    const double unit = p.scenario.problem == Problem::kCount ? 0.5 : 1;
    const double x = parts.weights[0] * parts.scale / p.encoders.rows[0].scale[0];
    EXPECT_NEAR(x, 1.5 * unit, 0.15 * unit) << name;
    const auto& words = p.encoders.rows[1].vocabulary;  // inputs 2 and 3, behind x and its missing indicator
    const int red = words[0] == "red" ? 2 : 3, blue = 5 - red;
    EXPECT_NEAR((parts.weights[red] - parts.weights[blue]) * parts.scale, 0.7 * unit, 0.25 * unit) << name;
    if (p.scenario.problem == Problem::kRegression) {
      EXPECT_NEAR(std::sqrt(parts.glm.variance) * parts.scale, 0.5, 0.05);
    }
    if (p.scenario.problem == Problem::kOrdinal) {
      EXPECT_NEAR(parts.glm.threshold[1] - parts.glm.threshold[0], 2, 0.3);
    }
  }
}

TEST(PooledFitTest, DoesNotDependOnTheNumberOfThreads) {
  const LoadedProblem p = problem_of("binary", 1);
  const RowFitInput input = input_of(p);
  const RowMatrix matrix = row_matrix(input);
  const auto one = fit_pooled(matrix, Problem::kBinary, 0, 1, nullptr, 1);
  const auto three = fit_pooled(matrix, Problem::kBinary, 0, 1, nullptr, 3);
  EXPECT_EQ(one.weights, three.weights);
  EXPECT_EQ(one.intercept, three.intercept);
}

TEST(PooledFitTest, ASoftmaxOfTwoClassesIsTheLogistic) {
  const LoadedProblem p = problem_of("binary", 1);
  const RowFitInput input = input_of(p);
  const RowMatrix matrix = row_matrix(input);
  // Both weights of a softmax are shrunk: the ridge of their difference is half.
  const auto softmax = fit_pooled(matrix, Problem::kMulticlass, 2, 4, nullptr, 1);
  const auto logistic = fit_pooled(matrix, Problem::kBinary, 0, 2, nullptr, 1);
  for (size_t i = 0; i < logistic.weights.size(); ++i)
    EXPECT_NEAR(softmax.weights[2 * i + 1] - softmax.weights[2 * i], logistic.weights[i], 2e-3);
}

TEST(RowBaselinesTest, AdaptingHelpsWhereTasksDifferAndDoesNotHurtWhereTheyDoNot) {
  for (const char* name : {"binary", "regression", "count", "ordinal"}) {
    const bool numbers = name == std::string("regression") || name == std::string("count");
    const std::string pooled = numbers ? "pooled-linear" : "pooled-logistic",
                      task = numbers ? "task-linear" : "task-logistic", constant = numbers ? "global-mean" : "majority";
    const LoadedProblem p = problem_of(name, 1.5);
    const auto plain = fit(p, constant), mean = fit(p, "task-mean"), all = fit(p, pooled), own = fit(p, task);
    EXPECT_NEAR(log_score(p, *all, 0), log_score(p, *all, 20), 1e-12) << "a pooled model does not adapt";
    EXPECT_GT(log_score(p, *mean, 20), log_score(p, *plain, 20)) << name;
    EXPECT_GT(log_score(p, *own, 20), log_score(p, *own, 0)) << name;
    EXPECT_GT(log_score(p, *own, 20), log_score(p, *all, 20) + 0.05) << name;
    EXPECT_GT(log_score(p, *own, 20), log_score(p, *mean, 20)) << name;
    const LoadedProblem alike = problem_of(name, 0);
    const nlohmann::json held{{"task_intercept_ridge", 100}, {"task_ridge", 1000}};
    EXPECT_GT(log_score(alike, *fit(alike, task, held), 20), log_score(alike, *fit(alike, pooled), 20) - 0.02) << name;
  }
}

TEST(RowBaselinesTest, ConstantsAreChosenOneAfterTheOtherAndRepeatedByALaterFit) {
  const LoadedProblem p = problem_of("binary", 1.5);
  const RowFitInput input = input_of(p);
  const auto learner = make_row_baseline_learner(*find_row_baseline("task-mean"), nlohmann::json::object());
  nlohmann::json chosen;
  std::vector<double> tried;
  const auto loss = [&](const RowMember& member) {
    tried.push_back(-log_score(p, member, 10));
    return tried.back();
  };
  const auto member = learner->fit(input, loss, chosen, {});
  EXPECT_EQ(tried.size(), 6);
  EXPECT_NEAR(-log_score(p, *member, 10), *std::min_element(tried.begin(), tried.end()), 1e-12);
  const auto again = learner->fit(input, nullptr, chosen, {});
  EXPECT_EQ(log_score(p, *again, 10), log_score(p, *member, 10));
}

TEST(RowBaselinesTest, FixedConstantsAreNotChosen) {
  const LoadedProblem p = problem_of("binary", 1);
  const RowFitInput input = input_of(p);
  const auto learner = make_row_baseline_learner(*find_row_baseline("task-mean"), {{"strength", 7}});
  nlohmann::json chosen;
  int asked = 0;
  learner->fit(input, [&](const RowMember&) { return ++asked, 1.0; }, chosen, {});
  EXPECT_EQ(chosen["strength"], 7);
  EXPECT_EQ(asked, 1);
  nlohmann::json wrong{{"strenght", 7}};
  EXPECT_THROW(find_row_baseline("task-mean")->prepare(input)->fit(wrong), InvalidInput);
}

TEST(RowBaselinesTest, TheCatalogueListsWhatFitsAScenario) {
  Scenario s;
  s.problem = Problem::kBinary;
  EXPECT_THAT(default_baselines(s), ::testing::ElementsAre("majority", "task-mean", "pooled-logistic", "task-logistic",
                                                           "xgboost", "xgboost-task"));
  s.item = "item";
  EXPECT_THAT(default_baselines(s), ::testing::Contains("item-mean"));
  s.problem = Problem::kCount;
  EXPECT_THAT(default_baselines(s), ::testing::Contains("pooled-linear"));
  for (const auto& name : default_baselines(s))
    if (const RowBaseline* baseline = find_row_baseline(name)) {
      EXPECT_TRUE(baseline->fits(s)) << name;
    }
}

}  // namespace
}  // namespace fewshop
