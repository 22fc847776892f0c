#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/autograd.h>

#include <cmath>

#include "core/error.h"
#include "learner/episodic_support.h"
#include "learner/finetune.h"
#include "learner/head_prior.h"
#include "learner/multitask.h"
#include "learner/pooled.h"

namespace fewshop::learning {
namespace {

using fewshop::testing::EpisodeShape;
using fewshop::testing::problem_of;
using fewshop::testing::random_batch;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

const nlohmann::json kLinear{{"name", "linear"}};
const nlohmann::json kSmall{{"name", "mlp"}, {"hidden", "4"}, {"activation", "tanh"}};

double largest(const Tensor& t) { return t.abs().max().item<double>(); }

Distribution answers(const EpisodicModel& model, const Batch& b) {
  return model.predict(model.adapt(b.support, b.task), b.query);
}

TEST(Pooled, TrainsOnSupportAndQueryRowsAlike) {
  const EpisodeShape shape{.tasks = 1, .support = 3, .query = 2};
  const Pooled model(kSmall, problem_of(Family::kGaussian, shape), Random(1));
  const Batch b = random_batch(Family::kGaussian, shape, Random(2));
  Batch swapped = b;
  std::swap(swapped.support, swapped.query);
  EXPECT_NEAR(model.query_loss(b, Random(1)).item<double>(), model.query_loss(swapped, Random(1)).item<double>(),
              1e-12);
  Batch support_only = b, query_only = b;
  support_only.query.mask = at::zeros_like(b.query.mask);
  query_only.support.mask = at::zeros_like(b.support.mask);
  const double s = b.support.weight.sum().item<double>(), q = b.query.weight.sum().item<double>();
  EXPECT_NEAR(model.query_loss(b, Random(1)).item<double>(),
              (s * model.query_loss(support_only, Random(1)).item<double>() +
               q * model.query_loss(query_only, Random(1)).item<double>()) /
                  (s + q),
              1e-12);
}

TEST(Finetune, UntilStepsAreChosenThePretrainedNetworkAnswers) {
  const EpisodeShape shape;
  const auto problem = problem_of(Family::kBernoulli, shape);
  const Pooled pooled(kSmall, problem, Random(1));
  Finetune model({}, kSmall, problem, Random(1));
  const Batch b = random_batch(Family::kBernoulli, shape, Random(2));
  const auto difference = [&] { return largest(answers(model, b).mean() - answers(pooled, b).mean()); };
  EXPECT_LT(difference(), 1e-12);
  model.choose({{"steps", 0}, {"rate", 0.5}, {"shrink", 0.0}});
  EXPECT_LT(difference(), 1e-12);
  model.choose({{"steps", 2}, {"rate", 0.5}, {"shrink", 0.0}});
  EXPECT_GT(difference(), 1e-3);
  EXPECT_EQ(model.query_loss(b, Random(1)).item<double>(), pooled.query_loss(b, Random(1)).item<double>())
      << "the outer loop knows nothing of the steps";
}

TEST(Finetune, StepsFollowTheGradientOfTheMeanSupportLossDilutedByShrink) {
  const EpisodeShape shape{.tasks = 1, .support = 4, .query = 1, .numbers = 2};
  const auto problem = problem_of(Family::kBernoulli, shape);
  Finetune model({}, kLinear, problem, Random(1));
  model.choose({{"steps", 1}, {"rate", 0.5}, {"shrink", 4.0}});
  Batch b = random_batch(Family::kBernoulli, shape, Random(2));
  b.support.weight = at::ones_like(b.support.weight);
  // Logistic regression: d loss / d w = mean (p - y) x, and 4 rows diluted by 4 count half.
  const auto parameters = model.parameters();
  const Tensor w = parameters[0].value.detach().view({-1}), bias = parameters[1].value.detach();
  const Tensor x = b.support.x.numbers[0];
  const Tensor error = (at::matmul(x, w) + bias + b.support.offset[0]).sigmoid() - b.support.target[0];
  const Tensor moved = w - 0.5 * 0.5 * (error.unsqueeze(1) * x).mean(0), moved_bias = bias - 0.25 * error.mean();
  const Tensor logit = at::matmul(b.query.x.numbers[0], moved) + moved_bias + b.query.offset[0];
  EXPECT_LT(largest(answers(model, b).parameters.at("logit")[0] - logit), 1e-12);
}

TEST(Finetune, WhatIsGivenIsNotChosenAndWhatIsChosenIsSaved) {
  const auto problem = problem_of(Family::kGaussian, {});
  EXPECT_TRUE(Finetune({"head", 5, 0.1}, kSmall, problem, Random(1)).candidates().empty());
  for (const auto& candidate : Finetune({"head", 5, 0}, kSmall, problem, Random(1)).candidates())
    EXPECT_EQ(candidate.at("steps"), 5);
  Finetune model({}, kSmall, problem, Random(1));
  const auto candidates = model.candidates();
  EXPECT_EQ(candidates.back().at("steps"), 0) << "adapting may turn out to be worth nothing";
  model.choose(candidates.front());
  std::map<std::string, double> saved;
  for (const auto& p : model.parameters())
    if (p.name.starts_with("inner.")) saved[p.name] = p.value.item<double>();
  EXPECT_EQ(saved.at("inner.steps"), candidates.front().at("steps").get<double>());
  EXPECT_EQ(saved.at("inner.rate"), candidates.front().at("rate").get<double>());
}

TEST(Finetune, RefusesPartsThatANetworkDoesNotHave) {
  EXPECT_THAT(
      ([] {
        Finetune({"tail", 1, 0.1}, kSmall, problem_of(Family::kGaussian, {}), Random(1));
      }),
      ThrowsMessage<InvalidInput>(HasSubstr("learner.adapts: expected head, body, decision or all, got 'tail'")));
}

TEST(HeadPrior, FindsTheGaussianThatHeadsWereDrawnFrom) {
  const int64_t n = 20000;
  Random random(3);
  Tensor draws = at::empty({n, 1, 2}, at::kDouble);
  for (int64_t i = 0; i < n; ++i) {
    const double a = random.normal(), c = random.normal();
    draws[i][0][0] = 1 + a;
    draws[i][0][1] = -2 + 0.5 * a + 0.5 * c;  // covariance [1, 0.5; 0.5, 0.5], precision [2, -2; -2, 4]
  }
  const HeadPrior prior = fit_head_prior(draws);
  EXPECT_LT(largest(prior.mean[0] - at::tensor(std::vector<double>{1, -2})), 0.05);
  EXPECT_LT(largest(prior.precision[0].reshape({4}) - at::tensor(std::vector<double>{2, -2, -2, 4})), 0.2);
}

TEST(HeadPrior, OfFewHeadsIsProper) {
  const HeadPrior prior = fit_head_prior(at::ones({1, 2, 5}, at::kDouble));
  EXPECT_TRUE(at::isfinite(prior.precision).all().item<bool>());
}

TEST(MostProbableHeads, HaveNoSlopeLeft) {
  Random random(4);
  const auto draw = [&](at::IntArrayRef shape) {
    Tensor t = at::empty(shape, at::kDouble);
    for (int64_t i = 0; i < t.numel(); ++i) t.data_ptr<double>()[i] = random.normal();
    return t;
  };
  for (const auto& [family, outputs] :
       {std::pair{Family::kBernoulli, 1}, {Family::kPoisson, 1}, {Family::kCategorical, 3}}) {
    const Likelihood likelihood(family, 3);
    const Tensor x = draw({2, 7, 3}), importance = draw({2, 7}).abs();
    const Tensor target = draw({2, 7}).gt(0).to(at::kDouble);
    const HeadPrior prior{draw({outputs, 3}), at::eye(3, at::kDouble).expand({outputs, 3, 3}).contiguous()};
    const auto loss = [&](const Tensor& output) { return likelihood.loss(output, target, {}); };
    // The bound on the curvature of several outputs makes steps shorter than Newton's.
    const Tensor w = most_probable_heads(x, importance, prior, false, loss).requires_grad_();
    const Tensor away = w - prior.mean;
    const Tensor objective = (loss(at::matmul(x, w.transpose(1, 2))) * importance).sum() + 0.5 * away.square().sum();
    const Tensor slope = torch::autograd::grad({objective}, {w})[0];
    EXPECT_LT(largest(slope), outputs == 1 ? 1e-8 : 1e-2) << family_name(family);
  }
}

TEST(Multitask, AGaussianTaskGetsTheHeadOfTheClosedForm) {
  const EpisodeShape shape{.tasks = 2, .support = 6, .query = 1, .numbers = 2};
  auto problem = problem_of(Family::kGaussian, shape);
  problem.known_tasks = 40;
  Multitask model({.shrinkage = 1, .spread = 2}, kLinear, problem, Random(1));
  const double scale = std::sqrt(problem.target_variance);
  Tensor heads;
  double noise = 0;
  for (const auto& p : model.parameters()) {
    if (p.name == "likelihood.log_noise") noise = std::exp(p.value.item<double>()) / problem.target_variance;
    if (p.name != "heads") continue;
    at::NoGradGuard no_grad;
    Random random(6);
    for (int64_t i = 0; i < p.value.numel(); ++i) p.value.data_ptr<double>()[i] = random.normal();
    heads = p.value.detach();
  }
  const auto parameters = model.parameters();
  const Tensor mean_head =
      at::cat({parameters[0].value.detach(), parameters[1].value.detach().unsqueeze(1)}, 1);  // [1, 3]
  const HeadPrior prior = fit_head_prior(mean_head + heads);
  const Batch b = random_batch(Family::kGaussian, shape, Random(2));
  const Tensor x = at::cat({b.support.x.numbers, at::ones({2, 6, 1}, at::kDouble)}, 2);
  const Tensor beta = (b.support.mask * b.support.weight / noise).unsqueeze(2);
  const Tensor precision = prior.precision[0] / 2;
  const Tensor a = precision + at::matmul((x * beta).transpose(1, 2), x);
  const Tensor right = at::matmul(precision, prior.mean[0]) +
                       (x * beta * ((b.support.target - b.support.offset) / scale).unsqueeze(2)).sum(1);
  const Tensor expected = at::linalg_solve(a, right.unsqueeze(2)).squeeze(2);
  EXPECT_LT(largest(model.adapt(b.support, b.task).at("head").select(1, 0) - expected), 1e-9);
}

TEST(Multitask, KnownTasksHaveTheirOwnHeadAndTrainingKnowsAllTasks) {
  const EpisodeShape shape{.tasks = 2};
  auto problem = problem_of(Family::kBernoulli, shape);
  problem.known_tasks = 5;
  Multitask model({}, kSmall, problem, Random(1));
  for (const auto& p : model.parameters())
    if (p.name == "heads") {
      at::NoGradGuard no_grad;
      p.value[3].fill_(2);
    }
  Batch b = random_batch(Family::kBernoulli, shape, Random(2));
  EXPECT_THAT([&] { model.query_loss(b, Random(1)); }, ThrowsMessage<InvalidInput>(HasSubstr("known")));
  b.task.known = at::tensor(std::vector<int64_t>{3, -1});
  const Tensor head = model.adapt(b.support, b.task).at("head");
  b.task.known = at::tensor(std::vector<int64_t>{1, -1});
  const Tensor other = model.adapt(b.support, b.task).at("head");
  EXPECT_LT(largest(head[0] - other[0] - 2), 1e-12) << "tasks 1 and 3 are 2 apart";
  EXPECT_LT(largest(head[1] - other[1]), 1e-12) << "the new task is the same";
}

TEST(Multitask, NeedsTrainingTasks) {
  EXPECT_THAT(([] { Multitask({}, kSmall, problem_of(Family::kGaussian, {}), Random(1)); }),
              ThrowsMessage<InvalidInput>(HasSubstr("every training task")));
}

}  // namespace
}  // namespace fewshop::learning
