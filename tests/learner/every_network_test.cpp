// Every learner that trains by episodes takes every network.
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>
#include <torch/autograd.h>

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
};

const LearnerCase kLearners[] = {
    {"cavia", {{"context_in", "multiplicative"}}},
    {"maml", {{"adapts", "head"}}},
    {"maml", {{"adapts", "body"}}},
    {"maml", {{"adapts", "decision"}}},
    {"maml", {{"adapts", "all"}}},
    {"reptile", {{"adapts", "decision"}}},
    {"reptile", {{"adapts", "all"}}},
};
const char* const kNetworks[] = {"linear", "mf", "mlp", "deepfm", "dcn", "gru", "lstm", "transformer"};

class EveryNetworkTest : public ::testing::TestWithParam<std::tuple<LearnerCase, const char*>> {
 protected:
  void SetUp() override {
    const auto& learner = std::get<0>(GetParam());
    batch_ = testing::random_batch(Family::kGaussian, {}, Random(1));
    batch_.support.x = every_.input(3, 4, 1);
    batch_.query.x = every_.input(3, 3, 2);
    EpisodicProblem problem = testing::problem_of(Family::kGaussian, {});
    problem.fields = nn::fields(batch_.query.x);
    json options = learner.options;
    options["steps"] = 2;
    options["step_size"] = 0.05;
    const std::string network = std::get<1>(GetParam());
    const auto make = [&] {
      return make_episodic(
          learner.name, options,
          {{"name", network}, {"embedding", 4}, {"hidden", "6-5"}, {"state", 3}, {"activation", "tanh"}}, problem,
          Random(2));
    };
    if (options.value("adapts", "") == "body" && (network == "linear" || network == "mf")) {
      EXPECT_THROW(make(), InvalidInput);
      GTEST_SKIP() << "a network without a body is refused";
    }
    model_ = make();
  }

  nn::EveryField every_;
  Batch batch_;
  std::unique_ptr<EpisodicModel> model_;
};

TEST_P(EveryNetworkTest, TheOuterGradientIsFiniteAndReachesEmbeddingsAndHead) {
  const auto parameters = model_->parameters();
  auto gradient = model_->outer_gradient(batch_, Random(3));
  if (gradient.empty()) {
    std::vector<Tensor> values;
    for (const auto& p : parameters) values.push_back(p.value);
    gradient = torch::autograd::grad({model_->query_loss(batch_, Random(3))}, values, {}, false, false, true);
  }
  ASSERT_EQ(gradient.size(), parameters.size());
  int moved = 0;
  for (size_t i = 0; i < gradient.size(); ++i) {
    if (!gradient[i].defined()) continue;
    EXPECT_TRUE(gradient[i].isfinite().all().item<bool>()) << parameters[i].name;
    const std::string& name = parameters[i].name;
    const bool asked = name.find("embedding.items.genres") != name.npos || name.find("head.weight") != name.npos;
    if (asked && gradient[i].abs().max().item<double>() > 0) ++moved;
  }
  EXPECT_EQ(moved, 2);
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
                           const auto adapts = learner.options.value("adapts", "context");
                           return std::string(learner.name) + "_" + adapts + "_" + std::get<1>(info.param);
                         });

}  // namespace
}  // namespace fewshop::learning
