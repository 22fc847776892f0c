#include "learner/reptile.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/autograd.h>

#include "core/error.h"
#include "learner/episodic_support.h"

namespace fewshop::learning {
namespace {

using testing::EpisodeShape;
using testing::problem_of;
using testing::random_batch;
using testing::some_tasks;

const nlohmann::json kEncoder = {{"name", "mlp"}, {"hidden", "4"}, {"embedding", 3}, {"activation", "tanh"}};
constexpr double kStepSize = 0.1, kVariance = 1.5;
constexpr int kSteps = 3;

double largest(const Tensor& t) { return t.numel() ? t.abs().max().item<double>() : 0; }

EpisodicProblem problem_with_items() {
  EpisodicProblem problem = problem_of(Family::kGaussian, {});
  problem.fields.push_back({"items", nn::Field::Kind::kBag, 0, 5});
  return problem;
}

Batch batch_with_items(uint64_t seed) {
  Batch batch = random_batch(Family::kGaussian, {}, Random(seed));
  Random random(seed + 1);
  for (Rows* rows : {&batch.support, &batch.query}) {
    Tensor id = at::zeros(rows->mask.sizes(), at::kLong);
    for (int64_t i = 0; i < id.numel(); ++i) id.data_ptr<int64_t>()[i] = static_cast<int64_t>(random.below(5));
    rows->x.identities = {{"items", 5, id}};
  }
  return batch;
}

Reptile make(nlohmann::json values) {
  values["steps"] = kSteps;
  values["step_size"] = kStepSize;
  ReptileOptions o;
  set_fields(o, values, "learner");
  return Reptile(o, kEncoder, problem_with_items(), Random(2));
}

/// The sum over `steps` gradient steps on all rows of one task of what they move each tensor of the network by, divided
/// by the step size; `moves` says which tensors follow. One task at a time, by plain autograd.
std::map<std::string, Tensor> sum_of_gradients(const Batch& one, bool embeddings_move) {
  MamlOptions still;
  still.steps = 0;
  still.adapts = "all";
  still.step_sizes = "fixed";
  still.by_size = false;
  const Maml model(still, kEncoder, problem_with_items(), Random(2));
  std::vector<std::string> names;
  std::vector<Tensor> values;
  for (const auto& p : model.parameters())
    if (p.name.rfind("network.", 0) == 0) {
      names.push_back(p.name);
      values.push_back(p.value);
    }
  const auto sums_of = [&](const Rows& rows) {
    const Tensor mean = model.predict(model.adapt(one.support, one.task), rows).mean(), share = rows.mask * rows.weight;
    return std::make_pair(((mean - rows.target).square() * share).sum() / kVariance, share.sum());
  };
  std::map<std::string, Tensor> total;
  for (int step = 0; step < kSteps; ++step) {
    const auto support = sums_of(one.support), query = sums_of(one.query);
    const auto gradient =
        torch::autograd::grad({(support.first + query.first) / (support.second + query.second)}, values);
    at::NoGradGuard no_grad;
    for (size_t i = 0; i < values.size(); ++i) {
      total[names[i]] = total.count(names[i]) ? total[names[i]] + gradient[i] : gradient[i];
      if (embeddings_move || names[i].find("embedding") == std::string::npos) values[i].sub_(kStepSize * gradient[i]);
    }
  }
  return total;
}

TEST(ReptileTest, TheOuterGradientIsTheMeanWayOfTheWeightsOverTheStepSize) {
  const Batch batch = batch_with_items(3);
  for (const char* adapts : {"all", "decision"}) {
    const Reptile model = make({{"adapts", adapts}, {"inner_batch", 0}});
    const auto gradient = model.outer_gradient(batch, Random(1));
    std::map<std::string, Tensor> expected;
    for (int64_t t = 0; t < 3; ++t)
      for (const auto& [name, sum] : sum_of_gradients(some_tasks(batch, t, 1), std::string(adapts) == "all"))
        expected[name] = expected.count(name) ? expected[name] + sum / 3 : sum / 3;
    const auto list = model.parameters();
    int embeddings = 0;
    for (size_t i = 0; i < list.size(); ++i) {
      if (list[i].name.rfind("network.", 0) != 0) continue;
      ASSERT_TRUE(gradient[i].defined()) << list[i].name;
      EXPECT_LT(largest(gradient[i] - expected.at(list[i].name)), 1e-12) << adapts << " " << list[i].name;
      embeddings += list[i].name.find("embedding") != std::string::npos;
    }
    EXPECT_EQ(embeddings, 1);
  }
}

TEST(ReptileTest, TheNoiseFollowsTheQueryLoss) {
  const Batch batch = batch_with_items(4);
  const Reptile model = make(nlohmann::json::object());
  const auto gradient = model.outer_gradient(batch, Random(1));
  const auto list = model.parameters();
  for (size_t i = 0; i < list.size(); ++i)
    if (list[i].name == "likelihood.log_noise") {
      const Tensor expected = torch::autograd::grad({model.query_loss(batch, Random(1))}, {list[i].value})[0];
      EXPECT_EQ(largest(gradient[i] - expected), 0);
      EXPECT_GT(largest(gradient[i]), 1e-3);
    }
}

TEST(ReptileTest, EachStepSeesAFewRowsThatTheSeedDraws) {
  const Batch batch = batch_with_items(5);
  const auto first = [&](int inner_batch, uint64_t seed) {
    return make({{"inner_batch", inner_batch}}).outer_gradient(batch, Random(seed))[0];
  };
  EXPECT_EQ(largest(first(2, 1) - first(2, 1)), 0);
  EXPECT_GT(largest(first(2, 1) - first(2, 2)), 1e-3);
  EXPECT_GT(largest(first(2, 1) - first(0, 1)), 1e-3);
  EXPECT_EQ(largest(first(7, 1) - first(0, 1)), 0) << "no task has more than 7 rows";
  EXPECT_EQ(largest(first(0, 1) - first(0, 2)), 0);
}

TEST(ReptileTest, NewTasksAdaptToTheirSupportAsMamlDoes) {
  const Batch batch = batch_with_items(6);
  const Reptile model = make(nlohmann::json::object());
  MamlOptions same;
  same.steps = kSteps;
  same.step_size = kStepSize;
  same.adapts = "decision";
  same.step_sizes = "fixed";
  const Maml maml(same, kEncoder, problem_with_items(), Random(2));
  const auto mean = [&](const Maml& m) { return m.predict(m.adapt(batch.support, batch.task), batch.query).mean(); };
  EXPECT_EQ(largest(mean(model) - mean(maml)), 0);
  EXPECT_EQ(model.candidates().size(), 2 * kSteps);
}

TEST(ReptileTest, TrainingLowersTheErrorAfterAdapting) {
  // One number tells tasks apart: y = a x, a = +-2 with a sign for each task.
  EpisodeShape shape;
  shape.tasks = 16;
  shape.support = 8;
  shape.query = 8;
  shape.numbers = 1;
  const auto tasks = [&](int step) {
    Batch batch = random_batch(Family::kGaussian, shape, Random(100 + static_cast<uint64_t>(step)));
    const Tensor slope = 4 * (at::arange(16, at::kDouble).remainder(2) - 0.5).unsqueeze(1);
    for (Rows* rows : {&batch.support, &batch.query}) {
      rows->offset = Tensor();
      rows->target = slope * rows->x.numbers.select(2, 0);
    }
    return batch;
  };
  ReptileOptions o;
  Reptile model(o, kEncoder, problem_of(Family::kGaussian, shape), Random(2));
  const auto error = [&] {
    const Batch batch = tasks(1000);
    at::NoGradGuard no_grad;
    return (model.predict(model.adapt(batch.support, batch.task), batch.query).mean() - batch.query.target)
        .square()
        .mean()
        .item<double>();
  };
  const double before = error();
  testing::train(model, tasks, {1000, 0.01});
  EXPECT_LT(error(), 0.25 * before);
}

TEST(ReptileTest, AHeadAloneIsRefused) {
  EXPECT_THROW(make({{"adapts", "head"}}), InvalidInput);
  ReptileOptions one;
  EXPECT_THROW(set_fields(one, {{"steps", 1}}, "learner"), InvalidInput);
}

}  // namespace
}  // namespace fewshop::learning
