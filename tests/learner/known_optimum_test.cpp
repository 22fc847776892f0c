#include "learner/known_optimum.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "learner/episodic_model.h"
#include "learner/episodic_support.h"

namespace fewshop::learning {
namespace {

using nlohmann::json;

constexpr int64_t kTestTasks = 20'000;
const std::vector<int64_t> kSizes{1, 5, 10, 20, 50};

testing::Excess excess_at(const EpisodicModel& model, int64_t support) {
  return testing::excess_risk(testing::standard_linear_tasks(), support, kTestTasks, Random(9), [&](const Batch& b) {
    return model.predict(model.adapt(b.support, b.task), b.query).mean();
  });
}

/// Trained on tasks of mixed support sizes, one learner for all of them.
std::unique_ptr<EpisodicModel> trained(const std::string& name, const json& options, int steps, double lr) {
  const testing::LinearTasks world = testing::standard_linear_tasks();
  EpisodicProblem problem;
  problem.fields = {{"numbers", nn::Field::Kind::kNumbers, world.inputs(), 0}};
  problem.target_variance = 1.5;  // 8 / 8 + 0.5
  auto model = make_episodic(name, options, {{"name", "linear"}}, problem, Random(1));
  testing::train(*model,
                 [&](int step) {
                   // One size a step; of one row many tasks: the few with large inputs decide how long steps may be.
                   const int64_t support = kSizes[step % kSizes.size()];
                   return testing::draw_tasks(world, std::max<int64_t>(40, 600 / support), support, 10,
                                              Random(2).fork(static_cast<uint64_t>(step)));
                 },
                 {steps, lr});
  return model;
}

void expect_within(const EpisodicModel& model, double bound) {
  for (const int64_t support : kSizes) {
    const testing::Excess excess = excess_at(model, support);
    std::printf("k = %2ld: Bayes risk %.4f, excess %.2f %% +- %.2f\n", static_cast<long>(support), excess.bayes_risk,
                100 * excess.value, 100 * excess.standard_error);
    EXPECT_LE(excess.value, bound) << support;
    EXPECT_GE(excess.value, -4 * excess.standard_error) << support;
  }
}

TEST(KnownOptimumTest, TheBayesPredictorReachesTheBayesRisk) {
  const testing::LinearTasks world = testing::standard_linear_tasks();
  const auto zero = [](const Batch& b) { return at::zeros_like(b.query.target); };
  for (const int64_t support : {0, 5, 50}) {
    const auto excess = testing::excess_risk(world, support, 20'000, Random(3), zero);
    // The error of 0 is the variance of the targets, 1.5. |x|^2 / 8 of a query row has deviation 0.5.
    const double of_inputs = 0.5 / std::sqrt(20'000 * 10);
    EXPECT_NEAR(excess.bayes_risk * (1 + excess.value), 1.5,
                5 * (excess.standard_error * excess.bayes_risk + of_inputs));
    if (support == 0) {
      EXPECT_NEAR(excess.value, 0, 1e-12);
    }
  }
}

TEST(KnownOptimumTest, MamlComesWithinAQuarterOfTheBayesRisk) {
  expect_within(*trained("maml", {{"adapts", "head"}, {"steps", 5}}, 1500, 0.02), 0.25);
}

TEST(KnownOptimumTest, CaviaComesWithinAQuarterOfTheBayesRisk) {
  expect_within(*trained("cavia", {{"context", 8}, {"context_in", "multiplicative"}, {"steps", 5}, {"step_size", 0.1}},
                         1500, 0.02),
                0.25);
}

}  // namespace
}  // namespace fewshop::learning
