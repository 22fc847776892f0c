// Learners against problems whose optimum is known: what they lose to the Bayes predictor of the true prior, on the
// same tasks.
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

#include <cmath>

#include "learner/episodic_support.h"
#include "learner/known_optimum.h"
#include "learner/logistic_optimum.h"

namespace fewshop::learning {
namespace {

using testing::Excess;
using testing::excess_risk;
using testing::LinearTasks;
using testing::LogisticTasks;
using testing::standard_linear_tasks;

constexpr int64_t kTasks = 20'000;
constexpr int kBatchTasks = 64;

std::unique_ptr<EpisodicModel> linear_learner(const std::string& name, Family family, int64_t inputs,
                                              double target_variance) {
  EpisodicProblem problem;
  problem.family = family;
  problem.fields = {{"numbers", nn::Field::Kind::kNumbers, inputs, 0}};
  problem.target_variance = target_variance;
  problem.type = at::kDouble;
  return make_episodic(name, nlohmann::json::object(), {{"name", "linear"}}, problem, Random(1));
}

/// Trains on tasks of `fewest` to 50 support rows, few as often as many; draw(k, random) makes a batch.
void train(EpisodicModel& model, int64_t fewest, const testing::PlainTraining& options,
           const std::function<Batch(int64_t k, Random)>& draw) {
  constexpr int64_t kMost = 50;
  testing::train(
      model,
      [&](int step) {
        Random random = Random(2).fork(static_cast<uint64_t>(step));
        const double spread = std::log(static_cast<double>(kMost - fewest + 2));
        const auto more = static_cast<int64_t>(std::exp(spread * random.uniform())) - 1;
        return draw(std::min(kMost, fewest + more), random);
      },
      options);
}

void train(EpisodicModel& model, int64_t fewest, const testing::PlainTraining& options, const LinearTasks& world) {
  train(model, fewest, options,
        [&](int64_t k, Random random) { return testing::draw_tasks(world, kBatchTasks, k, 10, random); });
}

Excess excess(const EpisodicModel& model, const LinearTasks& world, int64_t k) {
  at::NoGradGuard no_grad;
  return excess_risk(world, k, kTasks, Random(3).fork(static_cast<uint64_t>(k)), [&](const Batch& batch) {
    return model.predict(model.adapt(batch.support, batch.task), batch.query).mean();
  });
}

void expect_near_optimum(const std::string& what, const Excess& excess, double most) {
  ::testing::Test::RecordProperty(what, std::to_string(excess.value));
  std::printf("%-24s excess risk %8.4f %% +- %.4f %%\n", what.c_str(), 100 * excess.value, 100 * excess.standard_error);
  EXPECT_LT(excess.value, most) << what;
  EXPECT_GT(excess.value, -4 * excess.standard_error) << what << ": better than the best possible";
}

TEST(KnownOptimumTest, BayesIsWithinTwoPercentOfTheBestPossible) {
  const LinearTasks world = standard_linear_tasks(at::kDouble);
  const auto model = linear_learner("bayes", Family::kGaussian, world.inputs(), 1.5);
  train(*model, 1, {400, 0.03}, world);
  for (const int64_t k : {1, 5, 10, 20, 50})
    expect_near_optimum("bayes k=" + std::to_string(k), excess(*model, world, k), 0.02);
}

TEST(KnownOptimumTest, RidgeIsWithinFivePercentOfTheBestPossible) {
  const LinearTasks world = standard_linear_tasks(at::kDouble);
  const auto model = linear_learner("ridge", Family::kGaussian, world.inputs(), 1.5);
  train(*model, 1, {400, 0.03}, world);
  for (const int64_t k : {1, 5, 10, 20, 50})
    expect_near_optimum("ridge k=" + std::to_string(k), excess(*model, world, k), 0.05);
}

TEST(KnownOptimumTest, BayesLearnsAPriorWithAMeanAndAFullCovariance) {
  // Strongly correlated weights away from zero; without any row the prior mean is all there is.
  LinearTasks world = standard_linear_tasks(at::kDouble);
  Random random(5);
  at::Tensor factor = at::empty({8, 8}, at::kDouble);
  for (int64_t i = 0; i < 8; ++i) world.mean.data_ptr<double>()[i] = random.normal();
  for (int64_t i = 0; i < 64; ++i) factor.data_ptr<double>()[i] = 0.4 * random.normal();
  world.covariance = at::matmul(factor, factor.t());
  const auto model = linear_learner("bayes", Family::kGaussian, 8, 10);
  train(*model, 0, {600, 0.05}, world);
  for (const int64_t k : {0, 1, 5, 10, 20, 50})
    expect_near_optimum("bayes, full prior k=" + std::to_string(k), excess(*model, world, k), 0.02);
}

TEST(KnownOptimumTest, BayesOnLogisticTargetsIsWithinTwoPercentOfTheBestPossible) {
  const LogisticTasks tasks;
  const auto model = linear_learner("bayes", Family::kBernoulli, 2, 1);
  train(*model, 1, {300, 0.03}, [&](int64_t k, Random random) { return tasks.batch(kBatchTasks, k, 10, random); });
  for (const int64_t k : {1, 5, 10, 20, 50})
    expect_near_optimum("bayes, logistic k=" + std::to_string(k), testing::excess_log_loss(*model, tasks, k, kTasks, 3),
                        0.02);
}

TEST(LogisticOptimumTest, TheBestPredictionIsTheIntegralOverAFineGrid) {
  const LogisticTasks tasks;
  constexpr int64_t kRows = 6;
  const Batch batch = tasks.batch(3, kRows, 1, Random(4));
  const at::Tensor best = tasks.best(batch);
  const auto logistic = [](double x) { return 1 / (1 + std::exp(-x)); };
  for (int64_t t = 0; t < 3; ++t) {
    const at::Tensor x = batch.support.x.numbers[t].contiguous(), query = batch.query.x.numbers[t].contiguous(),
                     y = batch.support.target[t].contiguous();
    const double *of_row = x.data_ptr<double>(), *of_query = query.data_ptr<double>(), *target = y.data_ptr<double>();
    double sum = 0, weight = 0;
    for (double a = -8; a <= 8; a += 0.05)
      for (double b = -8; b <= 8; b += 0.05) {
        double p = std::exp(-0.5 * (a * a + b * b));
        for (int64_t s = 0; s < kRows; ++s) {
          const double eta = tasks.deviation * (a * of_row[2 * s] + b * of_row[2 * s + 1]);
          p *= logistic(target[s] > 0.5 ? eta : -eta);
        }
        weight += p;
        sum += p * logistic(tasks.deviation * (a * of_query[0] + b * of_query[1]));
      }
    // An error of d in a probability costs d^2 in log-loss: 1e-6 here.
    EXPECT_NEAR(best[t][0].item<double>(), sum / weight, 1e-3);
  }
}

}  // namespace
}  // namespace fewshop::learning
