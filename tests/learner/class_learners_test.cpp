#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "learner/class_aggregates.h"
#include "learner/episodic_support.h"
#include "learner/lwa.h"
#include "learner/nlba.h"

namespace fewshop::learning {
namespace {

using fewshop::testing::EpisodeShape;
using fewshop::testing::problem_of;
using fewshop::testing::random_batch;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

const nlohmann::json kLinear{{"name", "linear"}};

Tensor numbers(std::vector<double> values, at::IntArrayRef shape) {
  return at::tensor(values, at::kDouble).view(shape);
}

Rows three_rows(const std::vector<double>& targets) {
  Rows rows;
  rows.target = numbers(targets, {1, 3});
  rows.mask = at::ones({1, 3}, at::kDouble);
  rows.weight = numbers({1, 1, 2}, {1, 3});
  return rows;
}

TEST(ClassAggregates, AreShrunkWeightedMeansOfEachClass) {
  const Tensor f = numbers({1, 0, 3, 0, 0, 6}, {1, 3, 2}), one = numbers({1}, {});
  const Tensor binary = ClassAggregates(Family::kBernoulli, 0, 1, "lwa")(f, three_rows({1, 1, 0}), one);
  // Class 1: (1 + 3) / (1 + 2); class 0: weight 2 * 6 / (1 + 2).
  EXPECT_LT((binary - numbers({0, 4, 4.0 / 3, 0}, {1, 2, 2})).abs().max().item<double>(), 1e-12);
  const Tensor classes = ClassAggregates(Family::kCategorical, 3, 1, "lwa")(f, three_rows({2, 0, 2}), 0 * one);
  // Class 0: the second row; class 1: nothing; class 2: (1 * 1 + 2 * 0) / 3 and 2 * 6 / 3.
  EXPECT_LT((classes - numbers({3, 0, 0, 0, 1.0 / 3, 4}, {1, 3, 2})).abs().max().item<double>(), 1e-12);
  const Tensor ratings = ClassAggregates(Family::kGaussian, 0, 4, "lwa")(f, three_rows({2, -2, 4}), one);
  // All rows: (1 + 3) / 5 and 12 / 5; by distance in deviations of 2: (1 - 3) / 5 and 2 * 2 * 6 / 5.
  EXPECT_LT((ratings - numbers({0.8, 2.4, -0.4, 4.8}, {1, 2, 2})).abs().max().item<double>(), 1e-12);
}

TEST(ClassAggregates, CountsHaveNoClasses) {
  EXPECT_THAT(([] { Lwa({}, kLinear, problem_of(Family::kPoisson, {}), Random(1)); }),
              ThrowsMessage<InvalidInput>(HasSubstr("lwa is built from the classes of the support")));
  EXPECT_THAT(([] { Nlba({}, kLinear, problem_of(Family::kNegativeBinomial, {}), Random(1)); }),
              ThrowsMessage<InvalidInput>(HasSubstr("nlba is built from the classes of the support")));
}

TEST(Lwa, RelabelledClassesAreRelabelledAnswers) {
  const EpisodeShape shape;
  const Lwa model({.d = 4}, {{"name", "mlp"}, {"hidden", "4"}}, problem_of(Family::kCategorical, shape), Random(1));
  Batch b = random_batch(Family::kCategorical, shape, Random(2));
  const Tensor before = model.predict(model.adapt(b.support, b.task), b.query).probabilities();
  const Tensor order = at::tensor(std::vector<int64_t>{2, 0, 1});  // class c is called order[c] from now on
  b.support.target =
      order.index_select(0, b.support.target.to(at::kLong).view(-1)).view_as(b.support.target).to(at::kDouble);
  const Tensor after = model.predict(model.adapt(b.support, b.task), b.query).probabilities();
  EXPECT_LT((after.index_select(2, order) - before).abs().max().item<double>(), 1e-10);
  EXPECT_GT((after - before).abs().max().item<double>(), 1e-3);
}

TEST(Lwa, RowsLikeThoseOfAClassScoreHigherForIt) {
  // The untrained rule: with the identity as embedding, a query row at the positives beats one at the negatives.
  auto problem = problem_of(Family::kBernoulli, {.numbers = 2});
  const Lwa model({.d = 2, .map = "scalar"}, kLinear, problem, Random(1));
  {
    at::NoGradGuard no_grad;
    for (const auto& p : model.parameters()) {
      if (p.name == "network.head.weight") p.value.copy_(at::eye(2, at::kDouble));
      if (p.name == "network.head.bias") p.value.zero_();
    }
  }
  Rows support = three_rows({1, 0, 0}), query = three_rows({1, 0, 0});
  support.x = nn::numbers_only(numbers({1, 0, 0, 1, 0, 1}, {1, 3, 2}));
  query.x = nn::numbers_only(numbers({1, 0, 0, 1, 0, 0}, {1, 3, 2}));
  const Tensor logit = model.predict(model.adapt(support, {}), query).parameters.at("logit");
  // Shrunk means: positives (1, 0) / 2, negatives (0, 3) / 4.
  EXPECT_LT((logit - numbers({0.5, -0.75, 0}, {1, 3})).abs().max().item<double>(), 1e-12);
}

TEST(Lwa, RefusesAnUnknownMap) {
  EXPECT_THAT(([] { Lwa({.map = "tensor"}, kLinear, problem_of(Family::kBernoulli, {}), Random(1)); }),
              ThrowsMessage<InvalidInput>(HasSubstr("expected matrix or scalar, got 'tensor'")));
}

}  // namespace
}  // namespace fewshop::learning
