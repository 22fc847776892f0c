#include "runtime/bias_member.h"

#include "runtime/member_contract.h"

namespace fewshop {
namespace {

using testing::expect_member_contract;

float score_of(const Member& member, const std::vector<SupportRow>& support, int32_t item) {
  const auto workspace = member.workspace();
  member.adapt({support, {}}, *workspace);
  float score = 0;
  member.score(*workspace, {&item, 1}, {&score, 1}, {});
  return score;
}

TEST(BiasMemberTest, KeepsItsPromises) {
  expect_member_contract(BiasMember({"bias", 3.5f, 5, {0.5f, -0.25f, 0, 1}}), 4, false);
  expect_member_contract(BiasMember({"item-mean", 3.5f, -1, {0.5f, -0.25f, 0, 1}}), 4, false);
  expect_member_contract(BiasMember({"global-mean", 3.5f, -1, {}}), 4, false);
}

TEST(BiasMemberTest, UserBiasIsTheShrunkenMeanOfResiduals) {
  const BiasMember member({"bias", 3, 2, {1, -1}});
  // Residuals 5 - 3 - 1 = 1 and 4 - 3 + 1 = 2.
  const std::vector<SupportRow> support{{0, 5}, {1, 4}};
  EXPECT_FLOAT_EQ(score_of(member, support, 0), 3 + 1 + (1 + 2) / (2.0f + 2));
}

TEST(BiasMemberTest, ARowWithAWeightCountsThatManyTimes) {
  const BiasMember member({"bias", 3, 2, {1, -1}});
  const std::vector<SupportRow> weighted{{0, 5, 3}}, repeated{{0, 5}, {0, 5}, {0, 5}};
  EXPECT_FLOAT_EQ(score_of(member, weighted, 1), score_of(member, repeated, 1));
}

TEST(BiasMemberTest, WithoutAUserTermTheSupportChangesNothing) {
  const BiasMember member({"item-mean", 3, -1, {1, -1}});
  EXPECT_EQ(score_of(member, {{0, 5}}, 1), 2);
  EXPECT_EQ(score_of(member, {}, 5), 3) << "an item that training has not seen has the global mean";
}

}  // namespace
}  // namespace fewshop
