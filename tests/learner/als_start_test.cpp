#include "learner/als_start.h"

#include <ATen/Functions.h>
#include <gtest/gtest.h>

#include "learner/episodic_catalogue.h"
#include "learner/item_inputs.h"
#include "learner/synthetic.h"

namespace fewshop::learning {
namespace {

class AlsStartTest : public ::testing::TestWithParam<Problem> {};

INSTANTIATE_TEST_SUITE_P(Problems, AlsStartTest, ::testing::Values(Problem::kRating, Problem::kRanking),
                         [](const auto& info) { return info.param == Problem::kRating ? "rating" : "ranking"; });

TEST_P(AlsStartTest, EmbeddingsOfSeenItemsPointWhereTheFactorsDo) {
  constexpr int kSize = 6;
  const auto shop = testing::synthetic_shop(GetParam(), 150, 4);
  std::vector<uint8_t> hidden(shop.data.items(), 0);
  hidden[2] = hidden[5] = 1;
  const FitInput input{shop.data, shop.scenario, shop.tasks, &hidden, 1, 0};
  EpisodicProblem problem;
  const ItemInputs inputs = ItemInputs::fitted(input, {});
  problem.fields = inputs.fields();
  const auto model =
      make_episodic("maml", {{"adapts", "head"}}, {{"name", "linear"}, {"embedding", kSize}}, problem, Random(1));
  start_embeddings_from_als(input, inputs.seen(), *model);
  const AlsMember::Parts als = als_of(input, kSize);
  int found = 0;
  for (const Parameter& parameter : model->parameters()) {
    if (parameter.name != "network.embedding.items.id") continue;
    ++found;
    const at::Tensor value = parameter.value.detach();
    ASSERT_EQ(value.size(0), shop.data.items());
    double squares = 0, scale = 0;
    for (int64_t i = 0; i < value.size(0); ++i)
      for (int j = 0; j < kSize; ++j) {
        const float own = value[i][j].item<float>(), factor = als.vectors[i * als.width + j];
        squares += own * own;
        if (hidden[i]) {
          EXPECT_EQ(own, 0);
          continue;
        }
        if (scale == 0) scale = own / factor;
        EXPECT_NEAR(own, scale * factor, 1e-4 * (1 + std::abs(own)));
      }
    EXPECT_GT(scale, 0);
    EXPECT_NEAR(squares / static_cast<double>(value.size(0) - 2), 1, 1e-3);  // as long as networks start
  }
  EXPECT_EQ(found, 1);
}

}  // namespace
}  // namespace fewshop::learning
