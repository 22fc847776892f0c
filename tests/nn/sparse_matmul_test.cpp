#include "nn/sparse_matmul.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>
#include <torch/autograd.h>

namespace fewshop::nn {
namespace {

using at::Tensor;

// Two entities: a bag {0, 2} of 3 values beside one number 0.5; an empty bag beside -1.
Columns two_columns() {
  static const std::vector<int64_t> offsets{0, 2, 2};
  static const std::vector<int32_t> ids{0, 2};
  static const std::vector<float> dense{0.5F, -1.0F};
  Columns columns;
  columns.rows = 2;
  columns.columns.push_back({"items.tags", 0, 3, {}, offsets, ids});
  columns.columns.push_back({"items.price", 1, 0, dense, {}, {}});
  return columns;
}

TEST(SparseMatmulTest, AveragesBagsAndWeighsNumbers) {
  const SparseRows rows = sparse_rows(two_columns());
  ASSERT_EQ(rows.inputs, 4);
  const Tensor weight = at::arange(8, at::TensorOptions(at::kDouble)).view({4, 2});  // rows 0 1 | 2 3 | 4 5 | 6 7
  const std::vector<int32_t> order{1, 0};
  const Tensor y = sparse_matmul(rows, order, weight);
  // entity 1: -1 * (6, 7); entity 0: half of (0, 1) + half of (4, 5) + 0.5 * (6, 7)
  const Tensor expected =
      at::tensor(std::vector<double>{-6, -7, 2 + 3, 3 + 3.5}, at::TensorOptions(at::kDouble)).view({2, 2});
  EXPECT_TRUE(at::allclose(y, expected));
}

TEST(SparseMatmulTest, GradientMatchesFiniteDifferences) {
  const SparseRows rows = sparse_rows(two_columns());
  auto generator = at::make_generator<at::CPUGeneratorImpl>(7);
  Tensor weight = at::randn({4, 3}, generator, at::TensorOptions(at::kDouble)).set_requires_grad(true);
  const std::vector<int32_t> order{0, 1, 0};
  const auto loss = [&](const Tensor& w) { return sparse_matmul(rows, order, w).sin().sum(); };
  const Tensor gradient = torch::autograd::grad({loss(weight)}, {weight})[0].contiguous();
  at::NoGradGuard no_grad;
  constexpr double kStep = 1e-6;
  for (int64_t i = 0; i < weight.numel(); ++i) {
    double& value = weight.data_ptr<double>()[i];
    const double kept = value;
    value = kept + kStep;
    const double up = loss(weight).item<double>();
    value = kept - kStep;
    const double down = loss(weight).item<double>();
    value = kept;
    EXPECT_NEAR(gradient.data_ptr<double>()[i], (up - down) / (2 * kStep), 1e-7);
  }
}

}  // namespace
}  // namespace fewshop::nn
