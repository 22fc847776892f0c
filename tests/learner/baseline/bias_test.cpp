#include "learner/baseline/synthetic.h"

#include <gtest/gtest.h>

namespace fewshop {
namespace {

using testing::DatasetBuilder;
using testing::fit_one;
using testing::scores;

/// Ratings 5, 3 of a, 1 of b: mean 3.
testing::Synthetic three_ratings() {
  DatasetBuilder builder;
  builder.add("u", "a", 5);
  builder.add("u", "b", 1);
  builder.add("v", "a", 3);
  builder.item("c");
  testing::Synthetic s;
  s.data = builder.finish();
  s.train = {testing::all_rows(s.data, 0), testing::all_rows(s.data, 1)};
  s.hidden.assign(3, 0);
  return s;
}

TEST(BiasTest, MeansAreShrunkToTheGlobalMean) {
  const auto s = three_ratings();
  EXPECT_EQ(scores(*fit_one("global-mean", s.input()), {}, 3), (std::vector<float>{3, 3, 3}));
  const auto item = scores(*fit_one("item-mean", s.input(), {{"item_shrink", 2}}), {}, 3);
  EXPECT_FLOAT_EQ(item[0], 3 + (2 + 0) / (2.0f + 2));
  EXPECT_FLOAT_EQ(item[1], 3 - 2 / (2.0f + 1));
  EXPECT_FLOAT_EQ(item[2], 3) << "never rated";
}

TEST(BiasTest, UserBiasComesFromTheSupport) {
  const auto s = three_ratings();
  const auto score = scores(*fit_one("bias", s.input(), {{"item_shrink", 2}, {"user_shrink", 1}}), {{2, 5}}, 3);
  EXPECT_FLOAT_EQ(score[2], 3 + (5 - 3) / (1.0f + 1));
}

TEST(BiasTest, WeightsCountAsRepeats) {
  auto s = three_ratings();
  s.data.weight[1] = 0;
  EXPECT_FLOAT_EQ(scores(*fit_one("global-mean", s.input()), {}, 1)[0], 4);
}

}  // namespace
}  // namespace fewshop
