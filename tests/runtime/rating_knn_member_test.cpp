#include "runtime/rating_knn_member.h"

#include "runtime/member_contract.h"

namespace fewshop {
namespace {

RatingKnnMember random_member(uint64_t seed, int32_t items) {
  Random random(seed);
  RatingKnnMember::Parts parts;
  parts.mean = 3.4f;
  parts.user_shrink = 4;
  parts.shrink = 0.5f;
  for (int32_t i = 0; i < items; ++i) {
    parts.item_bias.push_back(static_cast<float>(random.normal() * 0.3));
    for (int32_t j = 0; j < items; ++j)
      if (i != j && random.uniform() < 0.4) {
        parts.similarity.column.push_back(j);
        parts.similarity.value.push_back(static_cast<float>(0.01 + random.uniform()));
      }
    parts.similarity.offsets.push_back(static_cast<int64_t>(parts.similarity.column.size()));
  }
  return RatingKnnMember(std::move(parts));
}

TEST(RatingKnnMemberTest, KeepsItsPromises) { testing::expect_member_contract(random_member(1, 15), 15, false); }

TEST(RatingKnnMemberTest, PredictionIsBiasPlusShrunkenMeanOfSimilarResiduals) {
  // Item 0 is similar to item 1 with 0.5; no user shrinkage, so the user bias is the mean residual.
  const RatingKnnMember member({3, 0, 1, {0.5f, 0, -1}, {{0, 1, 1, 1}, {1}, {0.5f}}});
  const auto workspace = member.workspace();
  const std::vector<SupportRow> support{{0, 4.5f}, {2, 2}};
  // Residuals 1 and 0, user bias 0.5; item 1: 3 + 0.5 + 0.5 (1 - 0.5) / (1 + 0.5).
  member.adapt({support, {}}, *workspace);
  std::vector<float> score(3);
  member.score_all(*workspace, score);
  EXPECT_FLOAT_EQ(score[1], 3.5f + 0.25f / 1.5f);
  EXPECT_FLOAT_EQ(score[2], 3 - 1 + 0.5f) << "nothing similar: the bias part alone";
}

TEST(RatingKnnMemberTest, SimilaritiesThatAreNotPositiveAreRefused) {
  EXPECT_THROW(RatingKnnMember({3, 0, 1, {0, 0}, {{0, 1, 1}, {1}, {-0.5f}}}), InvalidInput);
}

}  // namespace
}  // namespace fewshop
