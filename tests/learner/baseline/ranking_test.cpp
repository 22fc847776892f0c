// Popularity, item-kNN, EASE and session-kNN on numbers worked out by hand.
#include <gtest/gtest.h>

#include <Eigen/Dense>
#include <cmath>

#include "bundle/tensor_file.h"
#include "learner/baseline/spd_inverse.h"
#include "learner/baseline/synthetic.h"
#include "runtime/item_item_member.h"

namespace fewshop {
namespace {

using testing::DatasetBuilder;
using testing::fit_one;
using testing::scores;

/// Tasks {a, b}, {a, b, c}, {a, a}; d without rows. Items 0 to 3.
testing::Synthetic three_baskets() {
  DatasetBuilder builder;
  builder.add("u", "a", 1);
  builder.add("u", "b", 1);
  builder.add("v", "a", 1);
  builder.add("v", "b", 1);
  builder.add("v", "c", 1);
  builder.add("w", "a", 1);
  builder.add("w", "a", 1);
  builder.item("d");
  testing::Synthetic s;
  s.data = builder.finish();
  s.scenario.problem = Problem::kRanking;
  for (int t = 0; t < 3; ++t) s.train.push_back(testing::all_rows(s.data, t));
  s.hidden.assign(4, 0);
  return s;
}

TEST(PopularityTest, ScoresAreLogarithmsOfSmoothedShares) {
  const auto s = three_baskets();
  const auto rows = scores(*fit_one("popularity", s.input(), {{"smoothing", 1}}), {}, 5);
  EXPECT_FLOAT_EQ(rows[0], std::log((4 + 1) / 11.0f));
  EXPECT_FLOAT_EQ(rows[3], std::log(1 / 11.0f));
  EXPECT_FLOAT_EQ(rows[4], rows[3]) << "came after training";
  const auto tasks = scores(*fit_one("popularity", s.input(), {{"smoothing", 1}, {"per_task", true}}), {}, 4);
  EXPECT_FLOAT_EQ(tasks[0], std::log((3 + 1) / 10.0f));
}

TEST(RankingKnnTest, WeightsAreShrunkenCosinesOfDistinctItems) {
  const auto s = three_baskets();
  const auto score = scores(*fit_one("item-knn", s.input(), {{"shrink", 1}}), {{1, 1}}, 4);
  EXPECT_NEAR(score[0], 2 / (std::sqrt(2.0 * 3) + 1), 2e-6);
  EXPECT_NEAR(score[2], 1 / (std::sqrt(2.0 * 1) + 1), 2e-6);
  EXPECT_NEAR(score[1], 0, 2e-6) << "an item says nothing about itself";
  const auto self = scores(*fit_one("item-knn", s.input(), {{"shrink", 1}, {"self", 0.5}}), {{1, 1}}, 4);
  EXPECT_NEAR(self[1], 0.5, 2e-6);
  EXPECT_NEAR(self[0], score[0], 1e-7);
}

TEST(RankingKnnTest, OnlyTheLargestWeightsOfAnItemAreKept) {
  const auto s = three_baskets();
  const auto score = scores(*fit_one("item-knn", s.input(), {{"shrink", 1}, {"keep", 1}}), {{1, 1}}, 4);
  EXPECT_GT(score[0], 0.1);
  EXPECT_LT(score[2], 1e-5);
}

TEST(RankingKnnTest, TheLargestWeightsCanBeKeptPerScoredItem) {
  // c is most like b; b is most like a: from b, c is kept as what is scored, not as what b leads to first.
  const auto s = three_baskets();
  const nlohmann::json constants{{"shrink", 0}, {"keep", 1}};
  auto per_scored = constants;
  per_scored["per_scored_item"] = true;
  EXPECT_LT(scores(*fit_one("item-knn", s.input(), constants), {{1, 1}}, 4)[2], 1e-5);
  EXPECT_GT(scores(*fit_one("item-knn", s.input(), per_scored), {{1, 1}}, 4)[2], 0.1);
}

TEST(RankingKnnTest, ItemsBeyondTheMostFrequentHaveNoWeights) {
  const auto s = three_baskets();
  const auto score = scores(*fit_one("item-knn", s.input(), {{"shrink", 1}, {"max_items", 2}}), {{0, 1}}, 4);
  EXPECT_GT(score[1], 0.1);
  EXPECT_LT(score[2], 1e-5);
}

TEST(SpdInverseTest, AgreesWithEigen) {
  for (int n : {1, 5, 64, 65, 200, 333}) {
    const Eigen::MatrixXf random = Eigen::MatrixXf::Random(n, n);
    const Eigen::MatrixXf matrix = random * random.transpose() / n + Eigen::MatrixXf::Identity(n, n);
    Eigen::MatrixXf inverse = matrix;
    inverse.triangularView<Eigen::StrictlyUpper>().setConstant(7);  // never read
    ASSERT_TRUE(invert_spd(inverse.data(), n));
    const Eigen::MatrixXf whole = inverse.selfadjointView<Eigen::Lower>();
    EXPECT_LT((whole * matrix - Eigen::MatrixXf::Identity(n, n)).cwiseAbs().maxCoeff(), 2e-5) << n;
  }
}

TEST(SpdInverseTest, RefusesAMatrixThatIsNotPositiveDefinite) {
  std::vector<float> matrix{1, 2, 2, 1};
  EXPECT_FALSE(invert_spd(matrix.data(), 2));
  EXPECT_TRUE(invert_spd(nullptr, 0));
}

TEST(EaseTest, DenseWeightsAreStecksClosedForm) {
  const auto s = testing::synthetic(Problem::kRanking);
  const int items = static_cast<int>(s.data.items());
  Eigen::MatrixXd x = Eigen::MatrixXd::Zero(static_cast<Eigen::Index>(s.train.size()), items);
  for (int64_t row = 0; row < s.data.rows(); ++row) x(s.data.task[row], s.data.item[row]) = 1;
  const Eigen::MatrixXd p = (x.transpose() * x + 20 * Eigen::MatrixXd::Identity(items, items)).inverse();
  const auto member = fit_one("ease", s.input(), {{"ridge", 20}, {"dense", true}});
  for (int i = 0; i < items; ++i) {
    const auto score = scores(*member, {{i, 1}}, items);
    for (int j = 0; j < items; ++j) EXPECT_NEAR(score[j], i == j ? 0 : -p(i, j) / p(j, j), 5e-6);
  }
}

TEST(EaseTest, KeepsTheLargestWeightsByMagnitude) {
  const auto s = testing::synthetic(Problem::kRanking);
  const auto dense = fit_one("ease", s.input(), {{"ridge", 20}, {"dense", true}});
  const auto sparse = fit_one("ease", s.input(), {{"ridge", 20}, {"keep", 4}});
  const auto& all = static_cast<const ItemItemMember&>(*dense).weights();
  const auto& kept = static_cast<const ItemItemMember&>(*sparse).weights();
  for (int64_t i = 0; i < kept.rows(); ++i) {
    EXPECT_EQ(kept.offsets[i + 1] - kept.offsets[i], 4);
    float smallest = 1e9;
    for (int64_t e = kept.offsets[i]; e < kept.offsets[i + 1]; ++e) {
      EXPECT_EQ(kept.value[e], all.at(i, kept.column[e]));
      smallest = std::min(smallest, std::abs(kept.value[e]));
    }
    int larger = 0;
    for (int64_t e = all.offsets[i]; e < all.offsets[i + 1]; ++e) larger += std::abs(all.value[e]) > smallest;
    EXPECT_LE(larger, 3);
  }
}

TEST(EaseTest, SaysWhichShareOfTheSquaredWeightsItKept) {
  const auto s = testing::synthetic(Problem::kRanking);
  const auto squares = [](const Member& member) {
    double sum = 0;
    for (const float value : static_cast<const ItemItemMember&>(member).weights().value) sum += double{value} * value;
    return sum;
  };
  const auto dense = fit_one("ease", s.input(), {{"ridge", 20}, {"dense", true}});
  const auto sparse = fit_one("ease", s.input(), {{"ridge", 20}, {"keep", 4}});
  const double share = sparse->facts().at("kept_squared_weight");
  EXPECT_NEAR(share, squares(*sparse) / squares(*dense), 1e-6);
  EXPECT_LT(share, 0.95);
  EXPECT_TRUE(dense->facts().is_null()) << "nothing was left out";
  EXPECT_TRUE(fit_one("ease", s.input(), {{"ridge", 20}})->facts().is_null()) << "an item has fewer weights than 200";
  TensorFile file;
  sparse->save(file);
  EXPECT_EQ(ItemItemMember::load(file)->facts(), sparse->facts());
}

TEST(SessionKnnTest, IdfAndOrderComeFromTheTrainingTasks) {
  const auto s = three_baskets();
  // From b, sessions v and u both lead to a with one step back; v (newer, longer) also to c with one step on.
  const auto score = scores(*fit_one("session-knn", s.input(), {{"before", 0.5}, {"distance_decay", 0}}), {{1, 1}}, 4);
  const double idf_a = std::log(4.0 / 3), idf_b = std::log(4.0 / 2), idf_c = std::log(4.0);
  const double from_u = idf_b / std::sqrt(2.0), from_v = idf_b / std::sqrt(3.0);
  EXPECT_NEAR(score[0], idf_a * 0.5 * (from_u + from_v), 2e-6);
  EXPECT_NEAR(score[2], idf_c * from_v, 2e-6);
}

TEST(SessionKnnTest, OnlyTheNewestSessionsOfAnItemAreLookedAt) {
  auto s = three_baskets();
  const auto newest = scores(*fit_one("session-knn", s.input(), {{"sample", 1}}), {{1, 1}}, 4);
  EXPECT_GT(newest[2], 0.1);
  // With times, the session with the oldest last row is the oldest, whatever the order of tasks.
  s.data.time = {50, 60, 10, 20, 30, 70, 80};
  const auto by_time = scores(*fit_one("session-knn", s.input(), {{"sample", 1}}), {{1, 1}}, 4);
  EXPECT_LT(by_time[2], 1e-5);
}

}  // namespace
}  // namespace fewshop
