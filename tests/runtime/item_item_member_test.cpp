#include "runtime/item_item_member.h"

#include "runtime/member_contract.h"

namespace fewshop {
namespace {

/// Weights 0 -> {1: 0.5, 2: -0.25}, 1 -> {0: 1}, 2 -> {}.
ItemItemMember small(float repeat_power) {
  return ItemItemMember({"ease", repeat_power, {3e-7f, 2e-7f, 1e-7f}, {{0, 2, 3, 3}, {1, 2, 0}, {0.5f, -0.25f, 1}}});
}

std::vector<float> scores(const Member& member, const std::vector<SupportRow>& support) {
  const auto workspace = member.workspace();
  std::vector<float> score(3);
  member.adapt({support, {}}, *workspace);
  member.score_all(*workspace, score);
  return score;
}

ItemItemMember random_member(uint64_t seed, int32_t items) {
  Random random(seed);
  ItemItemMember::Parts parts{"item-knn", 0.5f, {}, {}};
  for (int32_t i = 0; i < items; ++i) {
    parts.prior.push_back(static_cast<float>(random.uniform() * 1e-6));
    for (int32_t j = 0; j < items; ++j)
      if (random.uniform() < 0.4) {
        parts.weights.column.push_back(j);
        parts.weights.value.push_back(static_cast<float>(random.normal()));
      }
    parts.weights.offsets.push_back(static_cast<int64_t>(parts.weights.column.size()));
  }
  return ItemItemMember(std::move(parts));
}

TEST(ItemItemMemberTest, KeepsItsPromises) { testing::expect_member_contract(random_member(1, 15), 15, true); }

TEST(ItemItemMemberTest, ScoresAreSumsOfWeightsOfTheSupport) {
  const auto score = scores(small(0), {{0, 1, 2}, {1, 1}});
  EXPECT_FLOAT_EQ(score[0], 1);
  EXPECT_FLOAT_EQ(score[1], 2 * 0.5f);
  EXPECT_FLOAT_EQ(score[2], 2 * -0.25f);
}

TEST(ItemItemMemberTest, FewItemsAreScoredToTheBitAsAllAre) {
  constexpr int32_t kItems = 60;
  const ItemItemMember member = random_member(4, kItems);
  const auto workspace = member.workspace();
  Random random(5);
  for (int round = 0; round < 50; ++round) {
    std::vector<SupportRow> support(random.below(12));
    for (SupportRow& row : support)
      row = {.item = static_cast<int32_t>(random.below(kItems + 2)) - 1,
             .target = static_cast<float>(random.uniform() - 0.2)};
    std::vector<float> few(kItems), all(kItems), none;
    member.adapt({support, {}}, *workspace);
    for (int32_t item = 0; item < kItems; ++item) member.score(*workspace, {&item, 1}, {&few[item], 1}, none);
    member.score_all(*workspace, all);
    EXPECT_EQ(few, all);
    for (int32_t item = 0; item < kItems; ++item) member.score(*workspace, {&item, 1}, {&few[item], 1}, none);
    EXPECT_EQ(few, all);
  }
}

TEST(ItemItemMemberTest, WeightsOutOfOrderAreRefused) {
  EXPECT_THROW(ItemItemMember({"ease", 0, {0, 0, 0}, {{0, 2, 2, 2}, {2, 1}, {1, 1}}}), InvalidInput);
}

TEST(ItemItemMemberTest, RepeatPowerSaysHowOftenARepeatedItemCounts) {
  const std::vector<SupportRow> once{{0, 1}}, twice{{0, 1}, {0, 1}};
  EXPECT_FLOAT_EQ(scores(small(0), twice)[1], scores(small(0), once)[1]);
  EXPECT_FLOAT_EQ(scores(small(1), twice)[1], 2 * scores(small(1), once)[1]);
}

TEST(ItemItemMemberTest, RowsWithoutPositiveEvidenceAreNotCounted) {
  EXPECT_EQ(scores(small(0), {{0, 0}, {0, -1}, {0, 1, 0}}), scores(small(0), {}));
}

TEST(ItemItemMemberTest, WithoutEvidenceItemsAreOrderedByPopularity) {
  const auto score = scores(small(0), {});
  EXPECT_GT(score[0], score[1]);
  EXPECT_GT(score[1], score[2]);
}

TEST(ItemItemMemberTest, InconsistentRowsAreRefused) {
  EXPECT_THROW(ItemItemMember({"ease", 0, {0, 0}, {{0, 1, 1}, {2}, {1}}}), InvalidInput);
  EXPECT_THROW(ItemItemMember({"ease", 0, {0, 0}, {{0, 2, 1}, {1}, {1}}}), InvalidInput);
  EXPECT_THROW(ItemItemMember({"ease", 0, {0}, {{0, 0, 0}, {}, {}}}), InvalidInput);
}

}  // namespace
}  // namespace fewshop
