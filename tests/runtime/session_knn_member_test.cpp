#include "runtime/session_knn_member.h"

#include "runtime/member_contract.h"

namespace fewshop {
namespace {

SessionKnnMember::Parts parts_of(const std::vector<std::vector<int32_t>>& sessions, int32_t items) {
  SessionKnnMember::Parts parts;
  parts.prior.assign(items, 0.0f);
  parts.idf.assign(items, 1.0f);
  parts.session_begin = {0};
  std::vector<std::vector<int32_t>> of_item(items);
  for (size_t n = 0; n < sessions.size(); ++n) {
    for (size_t p = 0; p < sessions[n].size(); ++p) {
      parts.session_item.push_back(sessions[n][p]);
      parts.session_position.push_back(static_cast<int32_t>(p));
      auto& list = of_item[sessions[n][p]];
      if (list.empty() || list.front() != static_cast<int32_t>(n)) list.insert(list.begin(), static_cast<int32_t>(n));
    }
    parts.session_begin.push_back(static_cast<int64_t>(parts.session_item.size()));
  }
  parts.index_begin = {0};
  for (const auto& list : of_item) {
    for (size_t i = 0; i < std::min<size_t>(list.size(), 3); ++i) parts.index_session.push_back(list[i]);
    parts.index_begin.push_back(static_cast<int64_t>(parts.index_session.size()));
  }
  return parts;
}

std::vector<float> scores(const Member& member, const std::vector<SupportRow>& support, int32_t items) {
  const auto workspace = member.workspace();
  return testing::all_scores(member, support, items, *workspace);
}

TEST(SessionKnnMemberTest, KeepsItsPromises) {
  Random random(3);
  std::vector<std::vector<int32_t>> sessions(30);
  for (auto& session : sessions)
    for (int p = 2 + static_cast<int>(random.below(5)); p > 0; --p)
      session.push_back(static_cast<int32_t>(random.below(12)));
  auto parts = parts_of(sessions, 12);
  parts.neighbours = 5;
  for (auto& value : parts.idf) value = static_cast<float>(0.5 + random.uniform());
  for (auto& value : parts.prior) value = static_cast<float>(1e-6 * random.uniform());
  testing::expect_member_contract(SessionKnnMember(parts), 12, true);
}

TEST(SessionKnnMemberTest, ASessionVotesByItsSimilarityAndTheDistanceToTheSharedItem) {
  // One session 0 1 2 3 shares item 1 with the support; similarity 1 / sqrt(4).
  auto parts = parts_of({{0, 1, 2, 3}}, 4);
  parts.before = 0.5f;
  parts.distance_decay = 1;
  const auto score = scores(SessionKnnMember(parts), {{1, 1}}, 4);
  EXPECT_FLOAT_EQ(score[0], 0.5f * 0.5f) << "stood before the shared item";
  EXPECT_FLOAT_EQ(score[2], 0.5f);
  EXPECT_FLOAT_EQ(score[3], 0.5f / 2) << "one step further away";
}

TEST(SessionKnnMemberTest, LaterGroupsOfTheSupportCountMore) {
  auto parts = parts_of({{0, 2}, {1, 3}}, 4);
  parts.recency_decay = 1;
  const auto score = scores(SessionKnnMember(parts), {{0, 1, 1, 0, 0}, {1, 1, 1, 0, 1}}, 4);
  EXPECT_NEAR(score[2] / score[3], std::exp(-1.0), 1e-6);
  const auto together = scores(SessionKnnMember(parts), {{0, 1, 1, 0, 0}, {1, 1, 1, 0, 0}}, 4);
  EXPECT_EQ(together[2], together[3]) << "rows of one basket are equally recent";
}

TEST(SessionKnnMemberTest, OnlyTheNearestSessionsVoteAndNewerOnesWinTies) {
  auto parts = parts_of({{0, 1}, {0, 2}}, 3);
  parts.neighbours = 1;
  const auto score = scores(SessionKnnMember(parts), {{0, 1}}, 3);
  EXPECT_EQ(score[1], 0);
  EXPECT_GT(score[2], 0);
}

TEST(SessionKnnMemberTest, DamagedPartsAreRefused) {
  auto parts = parts_of({{0, 1}, {0, 2}}, 3);
  std::swap(parts.index_session[0], parts.index_session[1]);
  EXPECT_THROW(SessionKnnMember{parts}, InvalidInput);
  parts = parts_of({{0, 1}}, 3);
  parts.session_position[0] = -1;
  EXPECT_THROW(SessionKnnMember{parts}, InvalidInput);
  parts = parts_of({{0, 1}}, 3);
  parts.session_item[0] = 3;
  EXPECT_THROW(SessionKnnMember{parts}, InvalidInput);
}

}  // namespace
}  // namespace fewshop
