#include "runtime/popularity_member.h"

#include "runtime/member_contract.h"

namespace fewshop {
namespace {

TEST(PopularityMemberTest, KeepsItsPromises) {
  testing::expect_member_contract(PopularityMember({-1, -3, -0.5f, -2}, -7), 4, true);
}

TEST(PopularityMemberTest, CandidatesAreTheMostPopularItems) {
  const PopularityMember member({-1, -3, -0.5f, -2}, -7);
  const auto workspace = member.workspace();
  std::vector<int32_t> items;
  member.candidates(*workspace, 2, {}, items);
  EXPECT_EQ(items, (std::vector<int32_t>{2, 0}));
  member.candidates(*workspace, 100, {}, items);
  EXPECT_EQ(items.size(), 6u);
}

}  // namespace
}  // namespace fewshop
