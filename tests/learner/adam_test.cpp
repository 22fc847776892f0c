#include "learner/adam.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace fewshop::learning {
namespace {

using at::Tensor;
using Shards = std::vector<std::vector<Tensor>>;

Tensor random_tensor(at::IntArrayRef shape, uint64_t seed, at::ScalarType type = at::kDouble) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return at::randn(shape, generator, at::TensorOptions(type));
}

std::vector<Parameter> parameters() {
  return {{"a", random_tensor({300, 70}, 1), {}}, {"b", random_tensor({3}, 2), at::full({}, 0.25, at::kDouble)}};
}

TEST(AdamTest, FollowsItsFormulaOverTheSumOfShardsAndDecay) {
  auto list = parameters();
  const Tensor start[] = {list[0].value.clone(), list[1].value.clone()};
  Adam adam(list, 1e-3);
  Tensor x[] = {start[0], start[1]}, m[] = {at::zeros_like(x[0]), at::zeros_like(x[1])},
         v[] = {at::zeros_like(x[0]), at::zeros_like(x[1])};
  for (int step = 1; step <= 4; ++step) {
    const Tensor one = random_tensor({300, 70}, 10 + step), two = random_tensor({300, 70}, 20 + step),
                 b = random_tensor({3}, 30 + step);
    adam.step(Shards{std::vector<Tensor>{one, Tensor()}, std::vector<Tensor>{two, b}}, 0.1);
    const Tensor g[] = {one + two, b + 2 * 0.25 * x[1]};
    for (int i = 0; i < 2; ++i) {
      m[i] = 0.9 * m[i] + 0.1 * g[i];
      v[i] = 0.99 * v[i] + 0.01 * g[i] * g[i];
      const Tensor m_hat = m[i] / (1 - std::pow(0.9, step)), v_hat = v[i] / (1 - std::pow(0.99, step));
      x[i] = x[i] - 0.1 * m_hat / (v_hat.sqrt() + 1e-3);
      EXPECT_TRUE(at::allclose(list[i].value, x[i], 0, 1e-12)) << "step " << step << ", parameter " << i;
    }
  }
}

TEST(AdamTest, ThreadsChangeNoBit) {
  auto one = parameters(), two = parameters();
  Adam a(one, 1e-8), b(two, 1e-8);
  for (int step = 0; step < 3; ++step) {
    const Shards shards{std::vector<Tensor>{random_tensor({300, 70}, step), random_tensor({3}, 50 + step)}};
    a.step(shards, 0.01, 1);
    b.step(shards, 0.01, 3);
  }
  for (size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(at::equal(one[i].value, two[i].value)) << i;
}

TEST(AdamTest, AParameterWithoutGradientsStaysWhereItIs) {
  auto list = parameters();
  list[1].decay = Tensor();
  const Tensor before = list[1].value.clone();
  Adam adam(list, 1e-8);
  adam.step(Shards{std::vector<Tensor>{random_tensor({300, 70}, 1), Tensor()}}, 0.1);
  EXPECT_TRUE(at::equal(list[1].value, before));
}

}  // namespace
}  // namespace fewshop::learning
