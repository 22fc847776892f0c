#include "nn/head_solve.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>
#include <torch/autograd.h>

#include "core/error.h"

namespace fewshop::nn {
namespace {

using at::Tensor;

struct Inputs {
  Tensor x, y, beta, factor, mean, x_query;  // precision = factor factor^T + I
};

Tensor random_tensor(at::IntArrayRef shape, uint64_t seed) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return at::randn(shape, generator, at::TensorOptions(at::kDouble));
}

Inputs random_inputs(int64_t tasks, int64_t rows, int64_t queries, int64_t d) {
  return {random_tensor({tasks, rows, d}, 1), random_tensor({tasks, rows}, 2), random_tensor({tasks, rows}, 3).exp(),
          random_tensor({d, d}, 4),           random_tensor({tasks, d}, 5),    random_tensor({tasks, queries, d}, 6)};
}

Tensor precision_of(const Inputs& in) {
  return at::matmul(in.factor, in.factor.t()) + at::eye(in.factor.size(0), at::TensorOptions(at::kDouble));
}

/// Any smooth function of everything that comes out.
Tensor loss_of(const Inputs& in) {
  const auto out = head_solve(in.x, in.y, in.beta, precision_of(in), in.mean, in.x_query);
  return (out.weights.sin() * 1.3).sum() + (out.variance + 0.1).log().sum();
}

/// The same through libtorch's own dense solve.
HeadSolution reference(const Inputs& in) {
  const Tensor xb = in.x * in.beta.unsqueeze(2);
  const Tensor a = precision_of(in) + at::matmul(xb.transpose(1, 2), in.x);
  const Tensor e = in.y - at::matmul(in.x, in.mean.unsqueeze(2)).squeeze(2);
  const Tensor right = at::matmul(xb.transpose(1, 2), e.unsqueeze(2));
  const Tensor u = at::linalg_solve(a, in.x_query.transpose(1, 2));
  return {in.mean + at::linalg_solve(a, right).squeeze(2), (in.x_query * u.transpose(1, 2)).sum(2)};
}

TEST(HeadSolveTest, EqualsADenseSolve) {
  for (const int64_t rows : {0, 1, 5, 20}) {
    const Inputs in = random_inputs(3, rows, 4, 6);
    const auto ours = head_solve(in.x, in.y, in.beta, precision_of(in), in.mean, in.x_query);
    const auto dense = reference(in);
    EXPECT_TRUE(at::allclose(ours.weights, dense.weights, 1e-10, 1e-10)) << rows << " rows";
    EXPECT_TRUE(at::allclose(ours.variance, dense.variance, 1e-10, 1e-10)) << rows << " rows";
  }
}

TEST(HeadSolveTest, GradientsOfEveryArgumentMatchFiniteDifferences) {
  Inputs in = random_inputs(2, 5, 3, 4);
  Tensor* const arguments[] = {&in.x, &in.y, &in.beta, &in.factor, &in.mean, &in.x_query};
  for (Tensor* argument : arguments) argument->set_requires_grad(true);
  std::vector<Tensor> leaves;
  for (Tensor* argument : arguments) leaves.push_back(*argument);
  const auto gradients = torch::autograd::grad({loss_of(in)}, leaves);
  at::NoGradGuard no_grad;
  constexpr double kStep = 1e-6;
  for (size_t a = 0; a < leaves.size(); ++a) {
    double* values = leaves[a].data_ptr<double>();
    const Tensor gradient = gradients[a].contiguous();
    for (int64_t i = 0; i < leaves[a].numel(); ++i) {
      const double kept = values[i];
      values[i] = kept + kStep;
      const double up = loss_of(in).item<double>();
      values[i] = kept - kStep;
      const double down = loss_of(in).item<double>();
      values[i] = kept;
      EXPECT_NEAR(gradient.data_ptr<double>()[i], (up - down) / (2 * kStep), 1e-6)
          << "argument " << a << ", entry " << i;
    }
  }
}

TEST(HeadSolveTest, PaddingChangesNothing) {
  const Inputs in = random_inputs(2, 5, 3, 4);
  const auto plain = head_solve(in.x, in.y, in.beta, precision_of(in), in.mean, in.x_query);
  const Tensor x = at::cat({in.x, random_tensor({2, 3, 4}, 9)}, 1), y = at::cat({in.y, random_tensor({2, 3}, 10)}, 1);
  const Tensor beta = at::cat({in.beta, at::zeros({2, 3}, at::TensorOptions(at::kDouble))}, 1);
  const auto padded = head_solve(x, y, beta, precision_of(in), in.mean, in.x_query);
  EXPECT_TRUE(at::equal(plain.weights, padded.weights));
  EXPECT_TRUE(at::equal(plain.variance, padded.variance));
}

TEST(HeadSolveTest, PermutingTasksPermutesAnswers) {
  const Inputs in = random_inputs(4, 5, 3, 4);
  const Tensor order = at::tensor(std::vector<int64_t>{2, 0, 3, 1}, at::TensorOptions(at::kLong));
  const auto pick = [&](const Tensor& t) { return t.index_select(0, order); };
  const auto plain = head_solve(in.x, in.y, in.beta, precision_of(in), in.mean, in.x_query);
  const auto permuted =
      head_solve(pick(in.x), pick(in.y), pick(in.beta), precision_of(in), pick(in.mean), pick(in.x_query));
  EXPECT_TRUE(at::equal(pick(plain.weights), permuted.weights));
}

TEST(HeadSolveTest, RefusesWhatIsNotPositiveDefinite) {
  Inputs in = random_inputs(1, 2, 1, 3);
  const Tensor bad = -1e6 * at::eye(3, at::TensorOptions(at::kDouble));
  EXPECT_THROW(head_solve(in.x, in.y, in.beta, bad, in.mean, in.x_query), Failure);
  EXPECT_THROW(head_solve(in.x, in.y, in.beta, at::eye(4, at::TensorOptions(at::kDouble)), in.mean, in.x_query),
               InvalidInput);
}

}  // namespace
}  // namespace fewshop::nn
