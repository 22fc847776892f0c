#include "learner/gate/gate_fit.h"

#include <gtest/gtest.h>

#include "core/random.h"

namespace fewshop {
namespace {

Metric mae() { return parse_metric("mae", Problem::kRating); }

/// Judgements of 300 tasks at sizes 0, 1, 5: two baselines (errors 1.0 and 1.1), and an adapted answer whose error at
/// each size is given; all with noise that the methods share.
std::vector<Judgement> judgements(const std::vector<double>& adapted_error, double noise = 0.2, int tasks = 300) {
  const std::vector<int> sizes{0, 1, 5};
  std::vector<Judgement> all;
  Random random(5);
  for (int t = 0; t < tasks; ++t)
    for (size_t i = 0; i < sizes.size(); ++i) {
      const double shared = noise * random.normal();
      Judgement j{t, sizes[i], Way::kNatural, {}};
      for (const double error : {1.0, 1.1, adapted_error[i] + noise * random.normal()}) {
        std::array<Part, kItemCells + 1> parts{};
        parts[kItemCells] = {error + shared, 1};
        parts[4] = parts[kItemCells];
        j.methods.push_back(parts);
      }
      all.push_back(j);
    }
  return all;
}

const GateMethods kMethods{{0, 1}, 2};

TEST(GateFitTest, OpensWhereTheGainIsProven) {
  const Gate gate = fit_gate(mae(), {0, 1, 5}, judgements({0.8, 0.8, 0.8}), kMethods);
  for (const int k : {0, 1, 5, 50}) EXPECT_TRUE(gate.adapted(k, 4)) << k;
  EXPECT_EQ(gate.baseline, (std::vector<int>{0, 0, 0}));
}

TEST(GateFitTest, StaysShutWhereAdaptingIsWorseOrEqual) {
  const Gate worse = fit_gate(mae(), {0, 1, 5}, judgements({1.2, 1.2, 1.2}), kMethods);
  for (const int k : {0, 1, 5}) EXPECT_FALSE(worse.adapted(k, 4)) << k;
  const Gate equal = fit_gate(mae(), {0, 1, 5}, judgements({1.0, 1.0, 1.0}, 0.0), kMethods);
  for (const int k : {0, 1, 5}) EXPECT_FALSE(equal.adapted(k, 4)) << k;
}

TEST(GateFitTest, PredictionsStayOpenOnceOpenAndShutBelow) {
  const Gate gate = fit_gate(mae(), {0, 1, 5}, judgements({1.3, 1.25, 0.7}), kMethods);
  EXPECT_FALSE(gate.adapted(0, 4));
  EXPECT_TRUE(gate.adapted(5, 4));
  EXPECT_TRUE(gate.adapted(100, 4));
}

TEST(GateFitTest, RanksNeedNotBeMonotone) {
  // Larger is better here: the adapted answer is worth more at 0 and 1 and less at 5.
  auto all = judgements({1.6, 1.6, 0.2});
  const Metric ndcg = parse_metric("ndcg@10", Problem::kRanking);
  const Gate gate = fit_gate(ndcg, {0, 1, 5}, all, kMethods);
  EXPECT_TRUE(gate.adapted(0, 0));
  EXPECT_FALSE(gate.adapted(5, 0));
  EXPECT_EQ(gate.baseline[2], 1);  // 1.1 is the better baseline when larger is better
}

TEST(GateFitTest, ForRanksOneSizeAloneIsChance) {
  const Metric ndcg = parse_metric("ndcg@10", Problem::kRanking);
  std::vector<int> sizes{0, 1, 2, 3, 5};
  std::vector<Judgement> all;
  for (int t = 0; t < 300; ++t)
    for (const int k : sizes) {
      // Mean gains of the windows: 0: -0.6, 1: -0.1, 2: +0.03, 3: -0.1, 5: -0.6.
      const double gain = k == 2 ? 0.9 : k == 1 || k == 3 ? -0.4 : -0.8;
      Judgement j{t, k, Way::kNatural, {}};
      for (const double value : {1.0, 0.5, 1.0 + gain + (t % 2 ? 0.01 : -0.01)}) {
        std::array<Part, kItemCells + 1> parts{};
        parts[kItemCells] = {value, 1};
        j.methods.push_back(parts);
      }
      all.push_back(j);
    }
  const Gate gate = fit_gate(ndcg, sizes, all, kMethods);
  for (const int k : sizes) EXPECT_FALSE(gate.adapted(k, 4)) << k;
  EXPECT_EQ(gate.baseline, (std::vector<int>{0, 0, 0, 0, 0}));
}

TEST(GateFitTest, ErrorsOverRowsWeighTasksByTheirRows) {
  // 30 tasks of 100 rows lose 0.1 of squared error a row, 270 tasks of one row gain 0.3: rmse is worse in all.
  const Metric rmse = parse_metric("rmse", Problem::kRating);
  std::vector<Judgement> all;
  for (int t = 0; t < 300; ++t) {
    const double rows = t % 10 == 0 ? 100 : 1;
    Judgement j{t, 0, Way::kNatural, {}};
    for (const double error : {1.0, 1.5, rows > 1 ? 1.1 : 0.7}) {
      std::array<Part, kItemCells + 1> parts{};
      parts[kItemCells] = {error * rows, rows};
      j.methods.push_back(parts);
    }
    all.push_back(j);
  }
  EXPECT_FALSE(fit_gate(rmse, {0}, all, kMethods).adapted(0, 4));
}

TEST(GateFitTest, ABaselineThatIsProvenBetterAtItsSizesIsChosenThere) {
  auto all = judgements({1.2, 1.2, 1.2});
  for (auto& j : all)
    if (j.support >= 1) j.methods[1][kItemCells].numerator -= 0.4;  // 0.7 against 1.0
  EXPECT_EQ(fit_gate(mae(), {0, 1, 5}, all, kMethods).baseline.back(), 1);
}

TEST(GateFitTest, ABaselineThatIsBestAtOneSizeByChanceGivesWayToItsNeighbours) {
  auto all = judgements({1.2, 1.2, 1.2});
  for (auto& j : all)
    if (j.support == 1) j.methods[1][kItemCells].numerator -= 0.11;  // 0.99 against 1.0 at one size, 1.1 at the others
  EXPECT_EQ(fit_gate(mae(), {0, 1, 5}, all, kMethods).baseline, (std::vector<int>{0, 0, 0}));
}

TEST(GateFitTest, FewTasksProveNothing) {
  const Gate gate = fit_gate(mae(), {0, 1, 5}, judgements({0.5, 0.5, 0.5}, 0.0, 5), kMethods);
  for (const int k : {0, 1, 5}) EXPECT_FALSE(gate.adapted(k, 4)) << k;
}

TEST(GateFitTest, ACellWithEnoughTasksDecidesForItself) {
  auto all = judgements({0.8, 0.8, 0.8});
  for (auto& j : all) {  // new items: adapting is worse
    j.methods[0][0] = {1.0, 1};
    j.methods[1][0] = {1.1, 1};
    j.methods[2][0] = {1.5, 1};
  }
  const Gate gate = fit_gate(mae(), {0, 1, 5}, all, kMethods);
  EXPECT_FALSE(gate.adapted(1, 0));
  EXPECT_TRUE(gate.adapted(1, 4));
  EXPECT_TRUE(gate.adapted(1, 2));  // too few tasks of its own: as the whole list
}

TEST(GateFitTest, IsotonicPoolsWhatViolatesTheOrder) {
  std::vector<int> blocks;
  // 3 1 -> 2 2; 4 stays; 5 3 with weights 1 and 3 -> 3.5, which then pools with 4: (4 + 5 + 3 * 3) / 5 = 3.6
  const auto fitted = isotonic({3, 1, 4, 5, 3}, {1, 1, 1, 1, 3}, blocks);
  EXPECT_EQ(blocks, (std::vector<int>{0, 0, 1, 1, 1}));
  EXPECT_DOUBLE_EQ(fitted[0], (3 + 1) / 2.0);
  EXPECT_DOUBLE_EQ(fitted[4], (4 + 5 + 3 * 3) / 5.0);
}

}  // namespace
}  // namespace fewshop
