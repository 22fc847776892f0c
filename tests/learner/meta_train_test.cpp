#include "learner/meta_train.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "learner/known_optimum.h"
#include "learner/maml.h"
#include "learner/synthetic.h"

namespace fewshop::learning {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

/// Two numbers whose loss is 3 a + b: a constant gradient (3, 1). One step an epoch.
struct Straight {
  testing::SyntheticShop shop = testing::synthetic_shop(Problem::kRating, 20, 1);
  EpisodicLearner learner;
  MetaTrainOptions options;
  at::Tensor value = at::zeros({2}, at::kFloat).requires_grad_();

  Straight() {
    learner.parameters = {{"value", value, {}}};
    learner.query_loss = [this](std::span<const Episode>, const std::vector<uint8_t>&, Random) {
      return 3 * value[0] + value[1];
    };
    options.epochs = 1;
    options.batch_tasks = 4096;
    options.lr = 0.1;
    options.average = false;
  }
  std::vector<float> after(int epochs) {
    at::NoGradGuard no_grad;
    value.zero_();
    options.epochs = epochs;
    at::AutoGradMode enabled(true);
    meta_train(learner, shop.data, shop.scenario, shop.tasks, options, {});
    return {value[0].item<float>(), value[1].item<float>()};
  }
};

// The first step of Adam moves by lr g / (|g| + epsilon).
TEST(MetaTrainTest, EpsilonAndClampAreAdams) {
  Straight s;
  s.options.epsilon = 1;
  auto moved = s.after(1);
  EXPECT_NEAR(moved[0], -0.1 * 3 / 4, 1e-6);
  EXPECT_NEAR(moved[1], -0.1 * 1 / 2, 1e-6);
  s.options.clamp = 2;
  moved = s.after(1);
  EXPECT_NEAR(moved[0], -0.1 * 2 / 3, 1e-6);
  EXPECT_NEAR(moved[1], -0.1 * 1 / 2, 1e-6);
}

TEST(MetaTrainTest, ALearnersOwnOuterGradientCounts) {
  Straight s;
  s.options.epsilon = 1;
  s.learner.outer_gradient = [&](std::span<const Episode> episodes, const std::vector<uint8_t>&, Random) {
    EXPECT_FALSE(episodes.empty());
    return std::vector<at::Tensor>{at::tensor({5.0F, -2.0F})};  // mean over a meta-batch, however it is parted
  };
  const auto moved = s.after(1);
  EXPECT_NEAR(moved[0], -0.1 * 5 / 6, 1e-6);
  EXPECT_NEAR(moved[1], 0.1 * 2 / 3, 1e-6);
  s.learner.outer_gradient = [](std::span<const Episode>, const std::vector<uint8_t>&, Random) {
    return std::vector<at::Tensor>(1);  // undefined: zeros
  };
  EXPECT_EQ(s.after(1)[0], 0);
}

TEST(MetaTrainTest, TheStepSizeFallsOnlyAlongACosine) {
  Straight s;
  s.options.epsilon = 1e-8;
  s.options.schedule_epochs = 4;
  s.options.cosine = false;
  EXPECT_NEAR(s.after(4)[0], -0.4, 1e-5);
  s.options.cosine = true;  // 1, (1 + cos(pi / 4)) / 2, 1 / 2, (1 - cos(pi / 4)) / 2
  EXPECT_NEAR(s.after(4)[0], -0.1 * (1 + 0.8535534 + 0.5 + 0.1464466), 1e-5);
}

TEST(MetaTrainTest, AveragedParametersAreKeptOnlyWhereAsked) {
  Straight s;
  s.options.epsilon = 1e-8;
  s.options.cosine = false;
  EXPECT_NEAR(s.after(4)[0], -0.4, 1e-5);
  s.options.average = true;  // of 0.1, 0.2, 0.3, 0.4
  EXPECT_NEAR(s.after(4)[0], -0.25, 1e-5);
}

/// What a training asked of meta-validation: its answers are given, its epochs told by the first parameter, which moves
/// by the same step every outer step.
struct Judged {
  std::vector<int> after;  // outer steps, at each judgement
  MetaTrainResult result;
  int kept = 0;  // outer steps of the parameters that stayed

  Judged(const std::function<double(size_t judgement)>& loss, const std::function<void(MetaTrainOptions&)>& change) {
    Straight s;
    s.options.epsilon = 1e-8;
    s.options.cosine = false;
    s.options.epochs = 22;
    s.options.patience = 8;
    s.options.steps_per_judgement = 5;
    change(s.options);
    const auto steps = [&] { return static_cast<int>(std::lround(-s.value[0].item<float>() / 0.1)); };
    s.learner.validation_loss = [&] {
      after.push_back(steps());
      return loss(after.size() - 1);
    };
    result = meta_train(s.learner, s.shop.data, s.shop.scenario, s.shop.tasks, s.options, {});
    kept = steps();
  }
};

TEST(MetaTrainTest, EpochsOfFewStepsAreJudgedTogether) {
  using ::testing::ElementsAre;
  const auto falls = [](size_t judgement) { return 10.0 - static_cast<double>(judgement); };
  const auto same = [](MetaTrainOptions&) {};
  // Every five steps, and at the end.
  const Judged all(falls, same);
  EXPECT_THAT(all.after, ElementsAre(5, 10, 15, 20, 22));
  EXPECT_EQ(all.result.validation_loss.size(), 5);
  EXPECT_EQ(all.result.epochs, 22);
  EXPECT_EQ(all.kept, 22);
  // Two steps an epoch: every second epoch.
  const Judged two(falls, [](MetaTrainOptions& options) {
    options.batch_tasks = static_cast<int>(Straight().shop.tasks.size() + 1) / 2;
    options.epochs = 5;
  });
  EXPECT_THAT(two.after, ElementsAre(4, 8, 10));
  // An epoch of as many steps is judged by itself.
  const Judged one(falls, [](MetaTrainOptions& options) {
    options.steps_per_judgement = 1;
    options.epochs = 3;
  });
  EXPECT_THAT(one.after, ElementsAre(1, 2, 3));
}

TEST(MetaTrainTest, PatienceCountsEpochsUpToTheLastJudgement) {
  using ::testing::ElementsAre;
  // The best is that of epoch 10; 8 epochs without a better one are over at the judgement of epoch 20.
  const Judged stops([](size_t judgement) { return judgement == 1 ? 1.0 : 2.0; },
                     [](MetaTrainOptions& options) { options.epochs = 40; });
  EXPECT_THAT(stops.after, ElementsAre(5, 10, 15, 20));
  EXPECT_EQ(stops.result.epochs, 10);
  EXPECT_EQ(stops.kept, 10);
}

TEST(MetaTrainTest, GradientLearnersThatDivergeSayWhatToChange) {
  const testing::SyntheticShop shop = testing::synthetic_shop(Problem::kRating, 40, 1);
  EpisodicProblem problem;
  problem.fields = {{"numbers", nn::Field::Kind::kNumbers, 8, 0}};
  const auto said = [&](double lr, double step_size) -> std::string {
    MamlOptions o;
    o.adapts = "all";
    o.step_size = step_size;
    Maml model(o, {{"name", "mlp"}, {"hidden", "8"}}, problem, Random(1));
    EpisodicLearner learner;
    learner.parameters = model.parameters();
    learner.query_loss = [&](std::span<const Episode> episodes, const std::vector<uint8_t>&, Random random) {
      return model.query_loss(
          testing::draw_tasks(testing::standard_linear_tasks(), static_cast<int64_t>(episodes.size()), 5, 5, random),
          random);
    };
    MetaTrainOptions options;
    options.epochs = 3;
    options.batch_tasks = 16;
    options.lr = lr;
    try {
      meta_train(learner, shop.data, shop.scenario, shop.tasks, options, {});
    } catch (const Failure& e) {
      return e.what();
    }
    return "trained";
  };
  EXPECT_EQ(said(0.01, 0.1), "trained");
  EXPECT_THAT(said(1e9, 0.1), AllOf(HasSubstr("training diverged"), HasSubstr("learner.lr")));
  EXPECT_THAT(said(0.01, 100), AllOf(HasSubstr("training diverged"), HasSubstr("learner.lr")));
}

}  // namespace
}  // namespace fewshop::learning
