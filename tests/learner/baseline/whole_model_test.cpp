#include <gtest/gtest.h>

#include "bundle/tensor_file.h"
#include "learner/baseline/synthetic.h"
#include "learner/catalogue.h"
#include "runtime/member_contract.h"
#include "runtime/members.h"
#include "runtime/model_contract.h"
#include "runtime/small_model.h"
#include "support/temp_dir.h"

namespace fewshop {
namespace {

constexpr int kItems = 30;

/// A copy by way of bytes.
std::unique_ptr<Member> copy(const Member& member) {
  TensorFile file;
  member.save(file);
  return load_member(file);
}

Scenario of_items(Problem problem) {
  Scenario scenario;
  scenario.problem = problem;
  scenario.item = "item";
  return scenario;
}

/// Every baseline of the problem as fitted on a small shop, the learner with random numbers, a stack of all of them
/// with weights of both signs, a gate that is shut at first.
std::shared_ptr<Model> whole_model(Problem problem, bool exclude_seen) {
  const auto small = testing::small_model({.problem = problem, .items = kItems, .d = 8});
  testing::Synthetic s = testing::synthetic(problem, 60, kItems);
  s.scenario.exclude_seen = exclude_seen;
  Random random(17);
  Model::Parts parts;
  parts.scenario = small->scenario();
  parts.scenario.exclude_seen = exclude_seen;
  parts.encoders = small->encoders();
  parts.item_ids = small->item_ids();
  parts.kinds = small->kinds();
  for (int i = 0; i < kItems; ++i) parts.item_counts.push_back(i % 7 ? 8 * i : 0);
  parts.members.push_back(copy(*small->parts().members[0]));
  parts.learner = "bayes";
  for (const std::string& name : default_baselines(of_items(problem))) {
    parts.members.push_back(testing::fit_one(name, s.input(), find_baseline(name)->grid(s.input())[0]));
    parts.baselines.push_back(name);
  }
  const auto members = static_cast<int>(parts.members.size());
  for (int m = 0; m < members; ++m) parts.stack.members.push_back(m);
  for (int i = 0; i < kItemCells * (members + 1) * Stack::kBasis; ++i)
    parts.stack.coefficient.push_back(static_cast<float>(0.4 * random.normal()));
  parts.gate.sizes = {0, 2};
  parts.gate.baseline = {1, 2};
  parts.gate.open = {0, 0, 0, 0, 0, 1, 1, 1, 1, 1};
  parts.best_baseline = parts.baselines.front();
  parts.target_low = -1e30F;  // nothing is clipped, so that scores can be compared with their parts
  parts.target_high = 1e30F;
  return std::make_shared<Model>(std::move(parts));
}

class WholeModelTest : public ::testing::TestWithParam<std::pair<Problem, bool>> {
 protected:
  std::vector<SupportRow> support(int rows) {
    return testing::random_support(random_, kItems, rows, GetParam().first == Problem::kRanking);
  }
  std::shared_ptr<Model> model_ = whole_model(GetParam().first, GetParam().second);
  Random random_{23};
};

INSTANTIATE_TEST_SUITE_P(Problems, WholeModelTest,
                         ::testing::Values(std::pair{Problem::kRating, true}, std::pair{Problem::kRanking, true},
                                           std::pair{Problem::kRanking, false}));

TEST_P(WholeModelTest, ASessionForgetsARowToTheBit) {
  const auto description = encode_entity(model_->encoders().tasks, {{"age", "old"}});
  for (const int rows : {1, 2, 3, 7, 30}) testing::expect_model_forgets(*model_, support(rows), description.views);
}

TEST_P(WholeModelTest, PriorAndContributionsAddUpToTheScoreThatRanks) {
  const auto description = encode_entity(model_->encoders().tasks, {{"age", "young"}});
  double largest = 0;
  for (int draw = 0; draw < 20; ++draw)
    for (const int rows : {0, 1, 2, 5, 12, 40})
      largest = std::max(largest, testing::largest_explanation_error(*model_, support(rows), description.views));
  RecordProperty("largest", std::to_string(largest));
}

}  // namespace
}  // namespace fewshop
