// Heads that adapt to feature vectors, by numbers worked out by hand; that they are the torch forms is tested with the
// learners.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "bundle/tensor_file.h"
#include "core/error.h"
#include "runtime/bayes_head.h"
#include "runtime/prototype_head.h"
#include "runtime/ridge_head.h"

namespace fewshop {
namespace {

HeadLink link_of(Family family, int outputs = 1) {
  HeadLink link;
  link.glm.family = family;
  link.glm.size = 2;
  link.glm.threshold = {-1, 1};
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

TEST(RidgeHeadTest, OneRowIsShrunkByThePenalty) {
  const RidgeHead head({link_of(Family::kGaussian), 1, 0, 3, 1, {10}});
  const std::vector<float> x{1}, y{14}, weight{1};
  // w = 1 * (14 - 10) / (1 + 3)
  EXPECT_NEAR(ask(head, {x, y, weight, {}}, {2}).mean, 10 + 2 * 1.0, 1e-6);
  // An offset of 2 on both sides: what is left is 2, w = 0.5.
  const std::vector<float> offset{2};
  EXPECT_NEAR(ask(head, {x, y, weight, offset}, {2}, 2).mean, 12 + 2 * 0.5, 1e-6);
  EXPECT_NEAR(ask(head, {{}, {}, {}, {}}, {2}).mean, 10, 1e-12) << "without support: the bias";
}

TEST(RidgeHeadTest, ClassesAreSolvedAgainstTheRest) {
  const RidgeHead head({link_of(Family::kCategorical, 3), 2, 0, 1, 5, {0, 0, 0}});
  const std::vector<float> x{1, 0, 0, 1}, y{0, 1}, weight{1, 1};
  // Rows are orthogonal: f_c = x . w_c with w_c = (target of row) / 2, scaled by 5.
  const auto p = ask(head, {x, y, weight, {}}, {1, 0}).probability;
  ASSERT_EQ(p.size(), 3);
  const double up = std::exp(2.5), down = std::exp(-2.5);
  EXPECT_NEAR(p[0], up / (up + 2 * down), 1e-6);
  EXPECT_NEAR(p[1], down / (up + 2 * down), 1e-6);
}

TEST(PrototypeHeadTest, TheNearestPrototypeIsTheLikeliest) {
  PrototypeHead::Arrays a;
  a.classes = 3;
  a.size = 2;
  a.prototypes = {0, 0, 0, 0, 5, 5};
  a.strength = 1;
  a.scale = 0.5;
  a.count = {1, 1, 1};
  const PrototypeHead head(a);
  const std::vector<float> x{3, 0, 0, 3, 0, 3}, y{0, 1, 1}, weight{1, 1, 2};
  // Prototypes (1.5, 0), (0, 9/4), (5, 5): the third has no support.
  const auto p = ask(head, {x, y, weight, {}}, {1, 1}).probability;
  const double s0 = -0.5 * (0.25 + 1), s1 = -0.5 * (1 + 1.25 * 1.25), s2 = -0.5 * 32;
  EXPECT_NEAR(p[0], std::exp(s0) / (std::exp(s0) + std::exp(s1) + std::exp(s2)), 1e-6);
  EXPECT_NEAR(p[1], std::exp(s1) / (std::exp(s0) + std::exp(s1) + std::exp(s2)), 1e-6);
}

TEST(PrototypeHeadTest, FrequentClassesAreLikelier) {
  PrototypeHead::Arrays a;
  a.binary = true;
  a.classes = 2;
  a.size = 1;
  a.prototypes = {0, 0};
  a.frequency = 1;
  a.count = {1, 1};
  const std::vector<float> x{0, 0, 0}, y{1, 1, 0}, weight{1, 1, 1};
  EXPECT_NEAR(ask(PrototypeHead(a), {x, y, weight, {}}, {0}).mean, 3.0 / 5, 1e-6);  // (2 + 1) / (3 + 2)
}

TEST(PrototypeHeadTest, TargetsThatAreNoClassDoNotCount) {
  PrototypeHead::Arrays a;
  a.classes = 2;
  a.size = 1;
  a.prototypes = {0, 1};
  a.count = {1, 1};
  const PrototypeHead head(a);
  const std::vector<float> x{7, 8, 9}, y{-1, 2, NAN}, weight{1, 1, 1};
  EXPECT_EQ(ask(head, {x, y, weight, {}}, {0.5F}).probability, ask(head, {{}, {}, {}, {}}, {0.5F}).probability);
}

BayesHead::Arrays bayes_arrays(Family family, int outputs = 1) {
  BayesHead::Arrays a;
  a.link = link_of(family, outputs);
  a.size = 1;
  a.mean.assign(outputs, 0);
  a.bias.assign(outputs, 0);
  a.factor = {2, 0, 0, 0};  // one weight of prior deviation 2, no constant
  return a;
}

TEST(BayesHeadTest, GaussianRowsHaveTheirPosterior) {
  BayesHead::Arrays a = bayes_arrays(Family::kGaussian);
  a.link.glm.variance = 0.5;
  a.bias = {1};
  const std::vector<float> x{1}, y{4}, weight{1};
  // w ~ N(0, 4), y - 1 = w + e: E[w] = 3 * 4 / 4.5, Var[w] = 4 * 0.5 / 4.5.
  const Predictive p = ask(BayesHead(a), {x, y, weight, {}}, {2});
  EXPECT_NEAR(p.mean, 1 + 2 * 3 * 4 / 4.5, 1e-5);
  EXPECT_NEAR(p.variance, 0.5 + 4 * (4 * 0.5 / 4.5), 1e-5);
}

TEST(BayesHeadTest, ADescriptionMovesThePrior) {
  BayesHead::Arrays a = bayes_arrays(Family::kGaussian);
  a.description_inputs = {0, 2};
  a.description_weight = {0, 0, 1.5F, 0};  // entry 1 moves the first weight, in units of its prior deviation
  const BayesHead head(a);
  const auto workspace = head.workspace();
  const std::vector<int32_t> one{1}, beyond{2};
  const std::vector<ColumnView> known{{{}, one}}, unknown{{{}, beyond}};
  head.adapt({}, known, *workspace);
  Predictive out;
  head.predict(*workspace, std::vector<float>{3}, 0, out);
  EXPECT_NEAR(out.mean, 3 * 2 * 1.5, 1e-5);
  EXPECT_THROW(head.adapt({}, unknown, *workspace), InvalidInput);
  EXPECT_THROW(head.adapt({}, std::vector<ColumnView>(2), *workspace), InvalidInput);
}

TEST(BayesHeadTest, ABinaryModeIsWhereThePullsBalance) {
  BayesHead::Arrays a = bayes_arrays(Family::kBernoulli);
  a.spread = 1e-12;  // so that the prediction is the mode's
  const std::vector<float> x{1, 1, 1}, y{1, 1, 0}, weight{1, 1, 1};
  const double p = ask(BayesHead(a), {x, y, weight, {}}, {1}).mean;
  const double eta = std::log(p / (1 - p));
  EXPECT_NEAR(2 - 3 * p, eta / 4, 1e-5);  // sum of (y - p) = w / prior variance
}

TEST(BayesHeadTest, TwoClassesOfASoftmaxAreABinaryHeadOfTwiceThePriorVariance) {
  BayesHead::Arrays two = bayes_arrays(Family::kCategorical, 2), one = bayes_arrays(Family::kBernoulli);
  one.factor[0] *= std::sqrt(2.0F);  // the difference of two independent weights
  one.spread = two.spread = 1e-12;
  const std::vector<float> x{1, -0.5F, 2}, y{1, 0, 1}, weight{1, 1, 1};
  EXPECT_NEAR(ask(BayesHead(two), {x, y, weight, {}}, {0.7F}).probability[1],
              ask(BayesHead(one), {x, y, weight, {}}, {0.7F}).mean, 1e-5);
}

TEST(TaskHeadTest, RefusesArraysThatDoNotFit) {
  EXPECT_THROW(RidgeHead({link_of(Family::kGaussian), 1, 0, 0, 1, {0}}), InvalidInput) << "no penalty";
  EXPECT_THROW(RidgeHead({link_of(Family::kCategorical, 3), 1, 0, 1, 1, {0}}), InvalidInput) << "one bias of three";
  BayesHead::Arrays a = bayes_arrays(Family::kGaussian);
  a.factor.pop_back();
  EXPECT_THROW(BayesHead{a}, InvalidInput);
  EXPECT_THROW(PrototypeHead(PrototypeHead::Arrays{}), InvalidInput);
  TensorFile file;
  HeadLink link = link_of(Family::kOrdinal);
  link.glm.threshold = {1, -1};
  link.save(file, "");
  EXPECT_THROW(HeadLink::load(file, ""), InvalidInput) << "thresholds fall";
}

}  // namespace
}  // namespace fewshop
