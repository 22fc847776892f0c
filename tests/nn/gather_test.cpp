#include "nn/gather.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>
#include <torch/autograd.h>

#include "core/error.h"

namespace fewshop::nn {
namespace {

using at::Tensor;

Tensor longs(std::vector<int64_t> values) { return at::tensor(values, at::kLong); }
Tensor ints(std::vector<int32_t> values) { return at::tensor(values, at::kInt); }
Tensor doubles(std::vector<double> values) { return at::tensor(values, at::kDouble); }

// Row 0 has entries 0 and 2, row 1 none, row 2 entry 1 twice and entry 0.
Entries three_rows() { return {longs({0, 2, 2, 5}), ints({0, 2, 1, 1, 0})}; }

TEST(GatherTest, AveragesTheVectorsOfARowsEntries) {
  const Tensor table = doubles({0, 3, 6, 9, 12, 15}).view({3, 2});  // 0 3 | 6 9 | 12 15
  const Tensor y = entry_means(table, three_rows(), longs({2, 0, 1, -1}).view({2, 2}));
  // (6 + 6 + 0) / 3, (9 + 9 + 3) / 3; (0 + 12) / 2, (3 + 15) / 2; nothing; nothing
  EXPECT_TRUE(at::allclose(y, doubles({4, 7, 6, 9, 0, 0, 0, 0}).view({2, 2, 2})));
}

TEST(GatherTest, ReadsEachTasksOwnTable) {
  const Tensor tables = doubles({1, 2, 3, 10, 20, 30}).view({2, 3, 1});
  const Tensor y = entry_means(tables, three_rows(), longs({0, 0}).view({2, 1}));
  EXPECT_TRUE(at::allclose(y, doubles({2, 20}).view({2, 1, 1})));  // (1 + 3) / 2, (10 + 30) / 2
}

TEST(GatherTest, WithoutEntriesARowIsItsOwnEntry) {
  const Tensor y = entry_means(doubles({1, 2, 3}).view({3, 1}), {}, longs({2, -1, 0}).view({1, 3}));
  EXPECT_TRUE(at::allclose(y, doubles({3, 0, 1}).view({1, 3, 1})));
}

TEST(GatherTest, FirstAndSecondDerivativesAreThoseOfTheDenseProduct) {
  const Tensor row = longs({2, 0, 1, -1, 2, 2}).view({2, 3});
  // The same map as a dense matrix [rows of the output, V].
  const Tensor dense =
      doubles({1. / 3, 2. / 3, 0, .5, 0, .5, 0, 0, 0, 0, 0, 0, 1. / 3, 2. / 3, 0, 1. / 3, 2. / 3, 0}).view({2, 3, 3});
  for (const bool per_task : {false, true}) {
    const Tensor start = doubles({.1, -.4, .7, .2, .9, -.3, .5, .6, -.8, .3, .05, 1.1}).view({2, 3, 2});
    const auto derivatives = [&](const auto& map) {
      const Tensor table = (per_task ? start.clone() : start[0].clone()).set_requires_grad(true);
      const Tensor loss = map(table).sin().pow(2).sum();
      const Tensor first = torch::autograd::grad({loss}, {table}, {}, true, true)[0];
      return std::pair{first.detach(), torch::autograd::grad({(first * first).sum()}, {table})[0]};
    };
    const auto ours = derivatives([&](const Tensor& t) { return entry_means(t, three_rows(), row); });
    const auto expected = derivatives([&](const Tensor& t) { return at::matmul(dense, t); });
    EXPECT_TRUE(at::allclose(ours.first, expected.first, 1e-12, 1e-14));
    EXPECT_TRUE(at::allclose(ours.second, expected.second, 1e-12, 1e-14));
  }
}

TEST(GatherTest, RefusesRowsOutsideTheTable) {
  const Tensor table = doubles({1, 2, 3}).view({3, 1});
  EXPECT_THROW(entry_means(table, three_rows(), longs({3}).view({1, 1})), InvalidInput);
  EXPECT_THROW(entry_means(table, three_rows(), longs({-2}).view({1, 1})), InvalidInput);
}

}  // namespace
}  // namespace fewshop::nn
