// Heads that adapt by gradient steps, by numbers worked out by hand; that they are the torch forms is tested with the
// learners.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "bundle/tensor_file.h"
#include "core/error.h"
#include "runtime/context_head.h"
#include "runtime/gradient_head.h"

namespace fewshop {
namespace {

HeadLink link_of(Family family, int outputs = 1) {
  HeadLink link;
  link.glm.family = family;
  link.outputs = outputs;
  return link;
}

Predictive ask(const TaskHead& head, const HeadSupport& support, std::vector<float> x, float offset = 0) {
  const auto workspace = head.workspace();
  head.adapt(support, {}, *workspace);
  Predictive out;
  head.predict(*workspace, x, offset, out);
  return out;
}

StepTable one_step(int parts, double rate, int steps = 1) {
  return {steps, parts, {1}, std::vector<float>(steps * parts, static_cast<float>(std::log(rate)))};
}

TEST(StepTableTest, SizesBetweenTwoAreOnAStraightLineOverTheLogarithm) {
  const StepTable table{1, 1, {1, 4, 16}, {0, 1, 3}};
  const auto log_at = [&](double rows) {
    std::vector<double> rate;
    table.rates(rows, rate);
    return std::log(rate[0]);
  };
  EXPECT_NEAR(log_at(1), 0, 1e-9);
  EXPECT_NEAR(log_at(2), 0.5, 1e-6);
  EXPECT_NEAR(log_at(4), 1, 1e-6);
  EXPECT_NEAR(log_at(8), 2, 1e-6);
  EXPECT_NEAR(log_at(16), 3, 1e-6);
  EXPECT_NEAR(log_at(500), 3, 1e-6);
  EXPECT_NEAR(log_at(0), 0, 1e-9);
  EXPECT_THROW((StepTable{1, 1, {4, 1}, {0, 0}}.check()), InvalidInput);
  EXPECT_THROW((StepTable{2, 1, {1}, {0}}.check()), InvalidInput);
  EXPECT_THROW((StepTable{1, 1, {1}, {NAN}}.check()), InvalidInput);
}

TEST(GradientHeadTest, OneStepOnOneNumber) {
  // Weight 1, bias 0, scale 2; the row x = 3 says 10 + offset 2: in units of scale the residual is 4 - 3 = 1.
  const GradientHead head({link_of(Family::kGaussian), 1, 2, {1, 0}, one_step(2, 0.1), {}});
  const std::vector<float> x{3}, y{10}, weight{1}, offset{2};
  // The gradient of (3 w + b - 4)^2 is (-6, -2): w = 1.6, b = 0.2.
  EXPECT_NEAR(ask(head, {x, y, weight, offset}, {1}, 5).mean, 5 + 2 * (1.6 + 0.2), 1e-6);
  EXPECT_NEAR(ask(head, {{}, {}, {}, {}}, {1}, 5).mean, 5 + 2, 1e-9) << "without support: the initial head";
  const auto workspace = head.workspace();
  head.adapt({x, y, weight, offset}, {}, *workspace);
  std::vector<double> contribution(1);
  EXPECT_NEAR(head.explain(*workspace, std::vector<float>{1}, 5, 0, contribution), 5 + 2, 1e-9);
  EXPECT_NEAR(contribution[0], 2 * 0.8, 1e-6);
}

TEST(GradientHeadTest, CoordinatesScaleTheStepsOfTheirWeights) {
  const GradientHead head({link_of(Family::kGaussian), 1, 1, {0, 0}, one_step(2, 1), {0.25F, 0}});
  const std::vector<float> x{2}, y{3}, weight{1};
  EXPECT_NEAR(ask(head, {x, y, weight, {}}, {1}).mean, 0.25 * 2 * 2 * 3, 1e-6);
}

TEST(GradientHeadTest, ClassesFollowTheSoftmax) {
  const GradientHead head({link_of(Family::kCategorical, 2), 1, 1, {0, 0, 0, 0}, one_step(2, 1), {}});
  const std::vector<float> x{1}, y{0}, weight{1};
  // Slopes (-0.5, 0.5): both weight and bias move by them; at x = 1 the logits are (1, -1).
  const auto p = ask(head, {x, y, weight, {}}, {1}).probability;
  EXPECT_NEAR(p[0], std::exp(1) / (std::exp(1) + std::exp(-1)), 1e-6);
}

/// One hidden unit: f = 2 relu(x + 1 + c), one number of context.
ContextHead::Arrays concatenated() {
  ContextHead::Arrays a;
  a.link = link_of(Family::kGaussian);
  a.layers = {{1, 1, {1}, {1}}, {1, 1, {2}, {0}}};
  a.context = 1;
  a.weight = {1};
  a.steps = one_step(1, 0.1);
  return a;
}

TEST(ContextHeadTest, OneStepOfAConcatenatedContext) {
  const ContextHead head(concatenated());
  const std::vector<float> x{1}, y{5}, weight{1};
  // f = 4, the slope of (f - 5)^2 is -2, in c twice that: c = 0.4.
  const auto workspace = head.workspace();
  head.adapt({x, y, weight, {}}, {}, *workspace);
  EXPECT_NEAR(head.context(*workspace)[0], 0.4, 1e-6);
  EXPECT_NEAR(ask(head, {x, y, weight, {}}, {2}).mean, 2 * 3.4, 1e-5);
  EXPECT_NEAR(ask(head, {x, y, weight, {}}, {-3}).mean, 0, 1e-6) << "the unit is off";
  std::vector<double> contribution(1);
  EXPECT_NEAR(head.explain(*workspace, std::vector<float>{2}, 0, 0, contribution), 6, 1e-5);
  EXPECT_NEAR(contribution[0], 0.8, 1e-5);
}

TEST(ContextHeadTest, OneStepOfAMultiplicativeContext) {
  ContextHead::Arrays a;
  a.link = link_of(Family::kGaussian);
  a.multiplicative = true;
  a.layers = {{1, 1, {2}, {0.5F}}};
  a.context = 1;
  a.weight = {3};  // f = 2 (x (1 + 3 c) + 4 c) + 0.5
  a.gain = {1};
  a.shift = {4};
  a.steps = one_step(1, 0.01);
  const ContextHead head(a);
  const std::vector<float> x{1}, y{3}, weight{1};
  // f = 2.5, slope -1, in c times 2 (3 + 4) = 14: c = 0.14.
  const auto workspace = head.workspace();
  head.adapt({x, y, weight, {}}, {}, *workspace);
  EXPECT_NEAR(head.context(*workspace)[0], 0.14, 1e-6);
  EXPECT_NEAR(ask(head, {x, y, weight, {}}, {2}).mean, 2 * (2 * 1.42 + 0.56) + 0.5, 1e-5);
  std::vector<double> contribution(1);
  EXPECT_NEAR(head.explain(*workspace, std::vector<float>{2}, 0, 0, contribution), 4.5, 1e-5);
  EXPECT_NEAR(contribution[0], 2 * (2 * 0.42 + 0.56), 1e-5);
}

TEST(GradientHeadsTest, SavedHeadsAnswerAlike) {
  const GradientHead gradient(
      {link_of(Family::kCategorical, 2), 1, 1, {0, 0.5F, 1, 0}, one_step(2, 0.3, 2), {1, 2, 3, 4}});
  const ContextHead context(concatenated());
  const std::vector<float> x{1, 2}, y{0, 1}, weight{1, 0.5F};
  for (const TaskHead* head : {static_cast<const TaskHead*>(&gradient), static_cast<const TaskHead*>(&context)}) {
    TensorFile file;
    head->save(file, "head.");
    const auto loaded = load_task_head(TensorFile::parse(file.serialize(), "test"), "head.");
    EXPECT_EQ(loaded->kind(), head->kind());
    const Predictive before = ask(*head, {x, y, weight, {}}, {0.5F}), after = ask(*loaded, {x, y, weight, {}}, {0.5F});
    EXPECT_EQ(before.mean, after.mean);
    EXPECT_EQ(before.probability, after.probability);
  }
}

TEST(GradientHeadsTest, SizesThatDisagreeAreRefused) {
  EXPECT_THROW(GradientHead({link_of(Family::kGaussian), 2, 1, {1, 0}, one_step(2, 0.1), {}}), InvalidInput);
  EXPECT_THROW(GradientHead({link_of(Family::kGaussian), 1, 1, {1, 0}, one_step(1, 0.1), {}}), InvalidInput);
  EXPECT_THROW(GradientHead({link_of(Family::kGaussian), 1, 1, {1, NAN}, one_step(2, 0.1), {}}), InvalidInput);
  auto a = concatenated();
  a.weight = {1, 2};
  EXPECT_THROW(ContextHead(std::move(a)), InvalidInput);
  a = concatenated();
  a.layers.pop_back();
  EXPECT_THROW(ContextHead(std::move(a)), InvalidInput);
}

}  // namespace
}  // namespace fewshop
