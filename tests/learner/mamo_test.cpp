#include "learner/mamo.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/autograd.h>

#include <cmath>
#include <map>

#include "core/error.h"
#include "learner/episodic_support.h"

namespace fewshop::learning {
namespace {

using fewshop::testing::EpisodeShape;
using fewshop::testing::problem_of;
using fewshop::testing::random_batch;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

const nlohmann::json kSmall{{"name", "mlp"}, {"hidden", "3"}, {"activation", "tanh"}};

/// Two kinds of tasks, and one that lies between them.
std::shared_ptr<const nn::InputTable> profiles() {
  static const std::vector<float> numbers{1, 0, 0, 1, 0.5F, 0.5F};
  static const Columns columns = [] {
    Columns c;
    c.rows = 3;
    c.columns.push_back({"tasks.kind", 2, 0, numbers, {}, {}});
    return c;
  }();
  return std::make_shared<nn::InputTable>(nn::input_table(columns));
}

struct World {
  EpisodeShape shape{.tasks = 3, .support = 4, .query = 2, .numbers = 2};
  EpisodicProblem problem;
  Batch batch;

  World() {
    problem = problem_of(Family::kGaussian, shape);
    problem.description = profiles()->fields;
    batch = random_batch(Family::kGaussian, shape, Random(2));
    batch.task.descriptions = profiles();
    batch.task.description = at::tensor(std::vector<int64_t>{0, 1, 0});
  }
};

void fill_memories(const Mamo& model) {
  at::NoGradGuard no_grad;
  Random random(5);
  for (const auto& p : model.parameters()) {
    if (p.name != "memory.start" && p.name != "memory.mixing") continue;
    for (int64_t i = 0; i < p.value.numel(); ++i) p.value.data_ptr<double>()[i] = 0.5 * random.normal();
  }
}

std::map<std::string, Tensor> values(const Mamo& model) {
  std::map<std::string, Tensor> all;
  for (const auto& p : model.parameters()) all[p.name] = p.value;
  return all;
}

TEST(Mamo, TasksDescribedAlikeStartAlike) {
  const World w;
  const Mamo model({.memories = 4, .profile = 3, .steps = 0}, kSmall, w.problem, Random(1));
  fill_memories(model);
  const Adapted start = model.adapt(w.batch.support, w.batch.task);
  for (const auto& named : start) {
    EXPECT_TRUE(at::allclose(named.second[0], named.second[2])) << named.first;
    EXPECT_FALSE(at::allclose(named.second[0], named.second[1])) << named.first;
  }
}

TEST(Mamo, WithEmptyMemoriesEveryTaskStartsFromTheSharedWeights) {
  const World w;
  const Mamo model({.memories = 4, .profile = 3, .steps = 0}, kSmall, w.problem, Random(1));
  const Adapted start = model.adapt(w.batch.support, w.batch.task);
  size_t i = 0;
  for (const auto& p : model.parameters())
    if (p.name.starts_with("network.")) {
      const Tensor fast = start.at("fast." + std::to_string(i++));
      EXPECT_TRUE(at::equal(fast, p.value.unsqueeze(0).expand_as(fast))) << p.name;
    }
  EXPECT_TRUE(at::equal(start.at("fast." + std::to_string(i))[1], at::eye(3, at::kDouble))) << "features are not mixed";
}

TEST(Mamo, AttentionIsASoftmaxOfCosines) {
  const World w;
  const Mamo model({.memories = 2, .profile = 2, .adapts = "head", .steps = 0}, kSmall, w.problem, Random(1));
  auto p = values(model);
  {
    at::NoGradGuard no_grad;
    p.at("profile.head.weight").copy_(at::eye(2, at::kDouble));
    p.at("profile.head.bias").zero_();
    p.at("memory.keys").copy_(at::tensor(std::vector<double>{2, 0, 0, 0.1}, at::kDouble).view({2, 2}));
    p.at("sharpness").fill_(std::log(2.0));
    p.at("memory.start").zero_();
    p.at("memory.start")[0].fill_(1);
  }
  // Task 0 looks like the first key alone: cosines 1 and 0, so e^2 / (e^2 + 1) of the first memory is taken off.
  const Tensor bias = model.adapt(w.batch.support, w.batch.task).at("fast.1").detach();
  const Tensor shared = p.at("network.head.bias").detach();
  EXPECT_NEAR((shared - bias[0]).item<double>(), std::exp(2) / (std::exp(2) + 1), 1e-4);
  EXPECT_NEAR((shared - bias[1]).item<double>(), 1 / (std::exp(2) + 1), 1e-4);
}

TEST(Mamo, TheWriteRulePullsEverySlotTowardsWhatAttendsToIt) {
  const World w;
  const MamoOptions silent{.memories = 3, .profile = 2, .adapts = "head", .steps = 1, .write = 0};
  MamoOptions writes = silent;
  writes.write = 0.7;
  const Mamo without(silent, kSmall, w.problem, Random(1)), with(writes, kSmall, w.problem, Random(1));
  fill_memories(without);
  fill_memories(with);
  const auto gradients = [&](const Mamo& model) {
    std::vector<Tensor> leaves;
    for (const auto& p : model.parameters()) leaves.push_back(p.value);
    return torch::autograd::grad({model.query_loss(w.batch, Random(1))}, leaves, {}, false, false, true);
  };
  const auto plain = gradients(without), written = gradients(with);
  const auto p = values(with);
  at::NoGradGuard no_grad;
  // The pieces of the formula, from what can be seen outside: profiles, attention, inner loop.
  const Tensor x = at::tensor(std::vector<double>{1, 0, 0, 1, 1, 0}, at::kDouble).view({3, 2});
  const Tensor profile = at::matmul(x, p.at("profile.head.weight").t()) + p.at("profile.head.bias");
  const auto unit = [](const Tensor& v) { return v / (v.square().sum(1, true) + 1e-6).sqrt(); };
  const Tensor attention =
      (p.at("sharpness").exp() * at::matmul(unit(profile), unit(p.at("memory.keys")).t())).softmax(1);
  const Adapted adapted = with.adapt(w.batch.support, w.batch.task);
  const Tensor mixing = adapted.at("fast.2") - at::eye(3, at::kDouble);
  // One inner step: what it moved the start by is rate * gradient.
  const Tensor begin = at::cat({p.at("network.head.weight").view({1, 3}), p.at("network.head.bias").view({1, 1})}, 1) -
                       at::matmul(attention, p.at("memory.start"));
  const Tensor step = begin - at::cat({adapted.at("fast.0").view({3, 3}), adapted.at("fast.1").view({3, 1})}, 1);
  const auto parameters = with.parameters();
  for (size_t i = 0; i < parameters.size(); ++i) {
    const std::string& name = parameters[i].name;
    const Tensor difference = (written[i].defined() ? written[i] : at::zeros_like(parameters[i].value)) -
                              (plain[i].defined() ? plain[i] : at::zeros_like(parameters[i].value));
    Tensor expected = at::zeros_like(difference);
    for (int64_t t = 0; t < 3; ++t)
      for (int64_t k = 0; k < 3; ++k) {
        const double pull = 0.7 / 3 * 2 * attention[t][k].item<double>();
        if (name == "memory.keys") expected[k] += pull / 2 * (p.at(name)[k] - profile[t]);
        if (name == "memory.start") expected[k] += pull * (p.at(name)[k] - step[t]);
        if (name == "memory.mixing") expected[k] += pull * (p.at(name)[k] - mixing[t]);
      }
    EXPECT_LT((difference - expected).abs().max().item<double>(), 1e-9) << name;
  }
}

TEST(Mamo, NeedsWhatDescribesATask) {
  EXPECT_THAT(([] { Mamo({}, kSmall, problem_of(Family::kGaussian, {}), Random(1)); }),
              ThrowsMessage<InvalidInput>(HasSubstr("mamo attends by what describes a task, and nothing does")));
  World w;
  const Mamo model({}, kSmall, w.problem, Random(1));
  w.batch.task.descriptions = nullptr;
  EXPECT_THAT([&] { model.adapt(w.batch.support, w.batch.task); },
              ThrowsMessage<InvalidInput>(HasSubstr("task features are missing")));
}

}  // namespace
}  // namespace fewshop::learning
