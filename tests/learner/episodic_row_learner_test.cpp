#include "learner/episodic_row_learner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "bundle/tensor_file.h"
#include "core/error.h"
#include "core/random.h"
#include "learner/catalogue.h"
#include "learner/row_train.h"
#include "runtime/row_members.h"
#include "scenario/names.h"
#include "task/database.h"
#include "task/problem.h"
#include "task/row_episode.h"

// What holds for every learner that trains by episodes in problems that ask about rows.

namespace fewshop::learning {
namespace {

using nlohmann::json;
using testing::Cells;
using testing::Database;
using ::testing::HasSubstr;

/// 30 tasks of 20 rows with a number, a colour and a description; targets follow level of the task + 1.5 x.
LoadedProblem problem_of(Problem problem) {
  static const Database db;
  Random random(5);
  std::vector<Cells> rows, tasks;
  for (int t = 0; t < 30; ++t) {
    const double level = random.normal();
    tasks.push_back({"t" + std::to_string(t), level > 0 ? "big" : "small"});
    for (int r = 0; r < 20; ++r) {
      const double x = random.normal(), eta = level + 1.5 * x + random.normal();
      const double target = problem == Problem::kRegression ? 100 + 20 * eta
                            : problem == Problem::kBinary   ? eta > 0
                            : problem == Problem::kCount    ? std::floor(std::exp(std::min(eta, 3.0)))
                                                            : (eta > -1) + (eta > 1);
      rows.push_back({"t" + std::to_string(t), std::to_string(x), r % 2 ? "red" : "blue", std::to_string(target)});
    }
  }
  db.write(
      "rows",
      {{"task", ColumnType::kText}, {"x", ColumnType::kReal}, {"colour", ColumnType::kText}, {"y", ColumnType::kReal}},
      rows);
  db.write("tasks", {{"task", ColumnType::kText}, {"size", ColumnType::kText}}, tasks);
  return load_problem(parse_scenario(std::string("problem = '") + problem_name(problem) +
                                         "'\n[rows]\ntable = 'rows'\ntask = 'task'\ntarget = 'y'\n[tasks]\ntable = "
                                         "'tasks'\nkey = 'task'\n[episode]\nquery = 5\n",
                                     "rows.toml"),
                      db.path());
}

struct Case {
  std::string learner;
  Problem problem;
};

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const auto& info : learners())
    for (const Problem problem : info.episodic)
      if (is_row_problem(problem)) all.push_back({info.name, problem});
  return all;
}

std::unique_ptr<RowMember> fitted(const Case& c, const LoadedProblem& p, int threads = 1) {
  const RowFitInput input{p.data, p.scenario, p.encoders, p.partition.train, threads, 3};
  json chosen;
  const RowMemberLoss any = [](const RowMember&) { return 0.0; };
  return make_episodic_row_learner(c.learner, {{"epochs", 1}, {"batch_tasks", 8}}, json::object())
      ->fit(input, any, chosen, {3, threads, "", c.learner});
}

std::vector<Predictive> answers(const LoadedProblem& p, const RowMember& member, int support) {
  std::vector<Predictive> all;
  const auto workspace = member.workspace();
  for (const auto& task : p.partition.test[0].tasks) {
    const auto episode = episode_at(p.data, p.scenario, task, Shot{support, 0});
    const RowEpisode asked = row_episode(p.data, *episode);
    member.adapt(asked.task(), *workspace);
    for (const RowInput& row : asked.query) member.predict(*workspace, row, all.emplace_back());
  }
  return all;
}

class EpisodicRowLearnerTest : public ::testing::TestWithParam<Case> {};

TEST_P(EpisodicRowLearnerTest, SavedAndLoadedItAnswersToTheBit) {
  const LoadedProblem p = problem_of(GetParam().problem);
  const auto member = fitted(GetParam(), p);
  TensorFile file;
  member->save(file);
  const auto loaded = load_row_member(TensorFile::parse(file.serialize(), "memory"), load_training_row_member);
  ASSERT_NE(loaded, nullptr);
  for (const int support : {0, 1, 5}) {
    const auto a = answers(p, *member, support), b = answers(p, *loaded, support);
    for (size_t i = 0; i < a.size(); ++i) {
      EXPECT_EQ(a[i].mean, b[i].mean) << support;
      EXPECT_EQ(a[i].variance, b[i].variance) << support;
      EXPECT_EQ(a[i].probability, b[i].probability) << support;
      EXPECT_EQ(a[i].family, b[i].family);
    }
  }
}

TEST_P(EpisodicRowLearnerTest, TheNumberOfThreadsChangesNoBit) {
  const LoadedProblem p = problem_of(GetParam().problem);
  const auto bytes = [&](int threads) {
    TensorFile file;
    fitted(GetParam(), p, threads)->save(file);
    return file.serialize();
  };
  EXPECT_EQ(bytes(1), bytes(2));
}

TEST_P(EpisodicRowLearnerTest, ExplanationsAddUpToTheLinkOfTheAnswer) {
  const LoadedProblem p = problem_of(GetParam().problem);
  const auto member = fitted(GetParam(), p);
  const auto workspace = member->workspace();
  const auto episode = episode_at(p.data, p.scenario, p.partition.test[0].tasks[0], Shot{4, 0});
  const RowEpisode asked = row_episode(p.data, *episode);
  member->adapt(asked.task(), *workspace);
  for (const RowInput& row : asked.query) {
    Predictive out;
    member->predict(*workspace, row, out);
    std::vector<double> terms(asked.support.size());
    double sum = member->explain(*workspace, row, 1, terms), magnitude = std::abs(sum);
    for (const double t : terms) {
      sum += t;
      magnitude += std::abs(t);
    }
    EXPECT_NEAR(sum, link(out.family, level(out, 1)), 1e-6 * (1 + magnitude));
  }
}

TEST_P(EpisodicRowLearnerTest, TargetsAreAnsweredInTheirOwnUnit) {
  if (GetParam().problem != Problem::kRegression) GTEST_SKIP() << "numbers have a unit";
  const LoadedProblem p = problem_of(Problem::kRegression);
  const auto member = fitted(GetParam(), p);
  double mean = 0;
  const auto all = answers(p, *member, 5);
  for (const auto& out : all) {
    mean += out.mean / static_cast<double>(all.size());
    EXPECT_GT(out.variance, 1) << "targets deviate by about 40";
  }
  EXPECT_NEAR(mean, 100, 60);
}

INSTANTIATE_TEST_SUITE_P(All, EpisodicRowLearnerTest, ::testing::ValuesIn(cases()), [](const auto& info) {
  std::string name = info.param.learner + "_" + problem_name(info.param.problem);
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

}  // namespace
}  // namespace fewshop::learning
