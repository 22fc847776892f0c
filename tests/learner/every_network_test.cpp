// Every learner that trains by episodes takes every network. (mamo, which asks for a description of the task, has its
// own: mamo_test.cpp.)
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>
#include <torch/autograd.h>

#include <algorithm>
#include <string>
#include <tuple>

#include "core/error.h"
#include "learner/episodic_model.h"
#include "learner/episodic_support.h"
#include "nn/random_input.h"

namespace fewshop::learning {
namespace {

using nlohmann::json;

struct LearnerCase {
  const char* name;
  json options;
  Family family = Family::kGaussian;
};

const LearnerCase kLearners[] = {
    {"bayes", json::object()},
    {"cavia", {{"context_in", "multiplicative"}, {"steps", 2}, {"step_size", 0.05}}},
    {"finetune", {{"steps", 2}, {"rate", 0.05}}},
    {"learned-optimizer", {{"steps", 2}}},
    {"lwa", json::object()},
    {"maml", {{"adapts", "head"}, {"steps", 2}, {"step_size", 0.05}}},
    {"maml", {{"adapts", "body"}, {"steps", 2}, {"step_size", 0.05}}},
    {"maml", {{"adapts", "decision"}, {"steps", 2}, {"step_size", 0.05}}},
    {"maml", {{"adapts", "all"}, {"steps", 2}, {"step_size", 0.05}}},
    {"multitask", json::object()},
    {"nlba", json::object()},
    {"pooled", json::object()},
    {"protonet", json::object(), Family::kCategorical},
    {"reptile", {{"adapts", "decision"}, {"steps", 2}, {"step_size", 0.05}}},
    {"reptile", {{"adapts", "all"}, {"steps", 2}, {"step_size", 0.05}}},
    {"ridge", json::object()},
};
const char* const kNetworks[] = {"linear", "mf", "mlp", "deepfm", "dcn", "gru", "lstm", "transformer"};

class EveryNetworkTest : public ::testing::TestWithParam<std::tuple<LearnerCase, const char*>> {
 protected:
  void SetUp() override {
    const auto& learner = std::get<0>(GetParam());
    batch_ = testing::random_batch(learner.family, {}, Random(1));
    batch_.support.x = every_.input(3, 4, 1);
    batch_.query.x = every_.input(3, 3, 2);
    EpisodicProblem problem = testing::problem_of(learner.family, {});
    problem.fields = nn::fields(batch_.query.x);
    problem.known_tasks = 3;
    if (std::string(learner.name) == "multitask") batch_.task.known = at::arange(3);
    const std::string network = std::get<1>(GetParam());
    const auto make = [&] {
      return make_episodic(
          learner.name, learner.options,
          {{"name", network}, {"embedding", 4}, {"hidden", "6-5"}, {"state", 3}, {"activation", "tanh"}}, problem,
          Random(2));
    };
    if (learner.options.value("adapts", "") == "body" && (network == "linear" || network == "mf")) {
      EXPECT_THROW(make(), InvalidInput);
      GTEST_SKIP() << "a network without a body is refused";
    }
    model_ = make();
  }

  nn::EveryField every_;
  Batch batch_;
  std::unique_ptr<EpisodicModel> model_;
};

TEST_P(EveryNetworkTest, TheOuterGradientIsFiniteAndReachesEmbeddingsAndTheHeadThatAllTasksBeginWith) {
  const auto parameters = model_->parameters();
  auto gradient = model_->outer_gradient(batch_, Random(3));
  if (gradient.empty()) {
    std::vector<Tensor> values;
    for (const auto& p : parameters) values.push_back(p.value);
    gradient = torch::autograd::grad({model_->query_loss(batch_, Random(3))}, values, {}, false, false, true);
  }
  ASSERT_EQ(gradient.size(), parameters.size());
  int reached = 0, asked = 0;
  for (size_t i = 0; i < gradient.size(); ++i) {
    const std::string& name = parameters[i].name;
    if (name.find("embedding.items.genres") != name.npos || name.find("head.weight") != name.npos) {
      ++asked;
      reached += gradient[i].defined() && gradient[i].abs().max().item<double>() > 0;
    }
    if (gradient[i].defined()) {
      EXPECT_TRUE(gradient[i].isfinite().all().item<bool>()) << name;
    }
  }
  EXPECT_GE(asked, 1);
  EXPECT_EQ(reached, asked);
}

TEST_P(EveryNetworkTest, ABatchAnswersAsOneTaskAtATime) {
  const Tensor all = model_->predict(model_->adapt(batch_.support, batch_.task), batch_.query).mean();
  for (int64_t t = 0; t < 3; ++t) {
    const Batch one = testing::some_tasks(batch_, t, 1);
    const Tensor mean = model_->predict(model_->adapt(one.support, one.task), one.query).mean();
    EXPECT_TRUE(at::allclose(mean[0], all[t], 0, 1e-10));
  }
}

INSTANTIATE_TEST_SUITE_P(Learners, EveryNetworkTest,
                         ::testing::Combine(::testing::ValuesIn(kLearners), ::testing::ValuesIn(kNetworks)),
                         [](const auto& info) {
                           const auto& learner = std::get<0>(info.param);
                           std::string name = std::string(learner.name) + "_" + learner.options.value("adapts", "") +
                                              "_" + std::get<1>(info.param);
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace fewshop::learning
