#include "runtime/model.h"

#include <gtest/gtest.h>

#include "runtime/member_contract.h"
#include "runtime/model_contract.h"
#include "runtime/small_model.h"
#include "support/temp_dir.h"

namespace fewshop {
namespace {

using testing::small_model;

struct Case {
  Problem problem;
  bool exclude_seen;
};

class ModelTest : public ::testing::TestWithParam<Case> {
 protected:
  std::vector<SupportRow> support(int rows) {
    return testing::random_support(random_, kItems, rows, GetParam().problem == Problem::kRanking);
  }
  std::shared_ptr<Model> model(float low = 1, float high = 5) const {
    return small_model({.problem = GetParam().problem,
                        .items = kItems,
                        .low = low,
                        .high = high,
                        .exclude_seen = GetParam().exclude_seen});
  }

  static constexpr int kItems = 750;  // above 700, so that recommending goes by candidates
  Random random_{11};
};

INSTANTIATE_TEST_SUITE_P(Problems, ModelTest,
                         ::testing::Values(Case{Problem::kRating, true}, Case{Problem::kRanking, true},
                                           Case{Problem::kRanking, false}));

TEST_P(ModelTest, ASessionForgetsARowToTheBit) {
  const auto m = model();
  const auto description = encode_entity(m->encoders().tasks, {{"age", "old"}});
  // 0 and 1 rows stand on both sides of the gate.
  for (const int rows : {1, 2, 6, 25}) testing::expect_model_forgets(*m, support(rows), description.views);
}

TEST_P(ModelTest, ASessionOfALoadedBundleForgetsARowToTheBit) {
  const testing::TempDir folder;
  model()->save(folder / "model", {}, {});
  const auto m = Model::load(folder / "model");
  testing::expect_model_forgets(*m, support(5), {});
}

TEST_P(ModelTest, PriorAndContributionsAddUpToTheScoreThatRanks) {
  const auto m = model(-1e30F, 1e30F);  // nothing is cut
  const auto description = encode_entity(m->encoders().tasks, {{"age", "young"}});
  for (const int rows : {0, 1, 2, 5, 12, 40}) {
    testing::largest_explanation_error(*m, support(rows), description.views);
    testing::largest_explanation_error(*m, support(rows), {});
  }
}

}  // namespace
}  // namespace fewshop
