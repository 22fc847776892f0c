#include "nn/gram_solve.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>
#include <torch/autograd.h>

#include "core/error.h"

namespace fewshop::nn {
namespace {

using at::Tensor;

Tensor random_tensor(at::IntArrayRef shape, uint64_t seed) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return at::randn(shape, generator, at::TensorOptions(at::kDouble));
}

Tensor with_gradient(Tensor t) { return t.set_requires_grad(true); }

/// The inverse that both forms stand for.
Tensor dense_inverse(const Tensor& v) {
  return at::linalg_inv(at::matmul(v.transpose(1, 2), v) + at::eye(v.size(2), v.options()));
}

TEST(GramSolveTest, BothFormsEqualTheDenseInverse) {
  for (const int64_t rows : {0, 1, 4, 5, 12}) {  // below and above the 5 weights: rows, then weights
    const Tensor v = random_tensor({3, rows, 5}, 1), b = random_tensor({3, 5, 2}, 2),
                 r = random_tensor({3, rows, 2}, 3);
    EXPECT_TRUE(at::allclose(gram_solve(v, b), at::matmul(dense_inverse(v), b), 1e-11, 1e-12)) << rows << " rows";
    EXPECT_TRUE(
        at::allclose(ridge_solve(v, r), at::matmul(dense_inverse(v), at::matmul(v.transpose(1, 2), r)), 1e-11, 1e-12))
        << rows << " rows";
  }
}

TEST(GramSolveTest, FirstAndSecondDerivativesAreThoseOfTheDenseInverse) {
  for (const int64_t rows : {3, 7}) {
    const Tensor v = with_gradient(random_tensor({2, rows, 5}, 4)), b = with_gradient(random_tensor({2, 5, 2}, 5)),
                 r = with_gradient(random_tensor({2, rows, 2}, 6));
    const auto derivatives = [&](const Tensor& x) {
      const Tensor loss = x.sin().sum();
      const auto first = torch::autograd::grad({loss}, {v, b, r}, {}, true, true, true);
      Tensor norm = at::zeros({}, v.options());
      for (const Tensor& g : first)
        if (g.defined()) norm = norm + g.square().sum();
      auto all = first;
      for (const Tensor& g : torch::autograd::grad({norm}, {v, b, r}, {}, true, true, true)) all.push_back(g);
      return all;
    };
    const auto agree = [&](const Tensor& ours, const Tensor& dense, const char* what) {
      const auto a = derivatives(ours), e = derivatives(dense);
      for (size_t i = 0; i < a.size(); ++i) {
        ASSERT_EQ(a[i].defined(), e[i].defined()) << what << " " << i;
        if (!a[i].defined()) continue;
        EXPECT_TRUE(at::allclose(a[i], e[i], 1e-8, 1e-9)) << what << " " << i << ", " << rows << " rows";
      }
    };
    agree(gram_solve(v, b), at::matmul(dense_inverse(v), b), "gram_solve");
    agree(ridge_solve(v, r), at::matmul(dense_inverse(v), at::matmul(v.transpose(1, 2), r)), "ridge_solve");
  }
}

TEST(GramSolveTest, RowsOfZerosChangeNothing) {
  const Tensor v = random_tensor({2, 3, 5}, 7), b = random_tensor({2, 5, 1}, 8);
  for (const int64_t more : {1, 6}) {  // the second makes the rows more than the weights
    const Tensor padded = at::cat({v, at::zeros({2, more, 5}, v.options())}, 1);
    EXPECT_TRUE(at::allclose(gram_solve(padded, b), gram_solve(v, b), 1e-12, 1e-12));
  }
}

TEST(GramSolveTest, RefusesWhatIsNotPositiveDefinite) {
  const Tensor a = -at::eye(3, at::kDouble).unsqueeze(0), b = random_tensor({1, 3, 1}, 9);
  EXPECT_THROW(spd_solve(a, b), Failure);
  EXPECT_THROW(spd_solve(at::full({1, 3, 3}, NAN, at::kDouble), b), Failure);
  EXPECT_THROW(spd_solve(a, random_tensor({1, 4, 1}, 9)), InvalidInput);
}

}  // namespace
}  // namespace fewshop::nn
