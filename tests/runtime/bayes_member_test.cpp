#include "runtime/bayes_member.h"

#include "runtime/member_contract.h"

namespace fewshop {
namespace {

using testing::random_support;

constexpr int kItems = 120, kKinds = 3, kRaw = 7;

/// Random arrays: three kinds of event, a prior mean, decays, and for ranks repeats.
BayesMember::Arrays random_arrays(bool ranking, uint64_t seed) {
  Random random(seed);
  const auto numbers = [&](size_t count, double scale, double middle = 0) {
    std::vector<float> values(count);
    for (float& x : values) x = static_cast<float>(middle + scale * random.normal());
    return values;
  };
  BayesMember::Arrays a;
  a.ranking = ranking;
  a.raw = kRaw;
  a.head = ranking ? kRaw : kRaw + 1;
  a.vectors = numbers(static_cast<size_t>(kItems) * a.head, 0.5);
  a.bias = numbers(kItems, 0.4);
  a.offset = ranking ? 0 : 3.6F;
  a.noise = ranking ? 0 : 0.7F;
  a.prior = numbers(a.head, 0.3);
  a.target_scale = numbers(kKinds, 0.3, 1);
  a.precision = {2, 0.7F, 5};
  a.decay = {0.02F, 0.5F, 0};
  a.repeat = ranking ? std::vector<float>{0.8F, 0, -0.3F} : std::vector<float>(kKinds, 0);
  a.repeat_decay = {0.05F, 0.1F, 0};
  a.item_weight = numbers(5 * (kRaw + 1), 0.3);
  a.new_item = numbers(kRaw + 1, 0.3);
  a.whitening.assign(static_cast<size_t>(a.head) * a.head, 0);
  for (int i = 0; i < a.head; ++i)
    for (int j = 0; j <= i; ++j) a.whitening[i * a.head + j] = i == j ? 1.3 : 0.2 * random.normal();
  a.item_inputs = {0, 2, 5};
  a.description_inputs = {0, 2};
  a.prior_weight = numbers(2 * a.head, 0.3);
  return a;
}

class BayesMemberTest : public ::testing::TestWithParam<bool> {};

INSTANTIATE_TEST_SUITE_P(Problems, BayesMemberTest, ::testing::Values(false, true),
                         [](const auto& info) { return info.param ? "ranking" : "rating"; });

TEST_P(BayesMemberTest, KeepsWhatEveryMemberPromises) {
  testing::expect_member_contract(BayesMember(random_arrays(GetParam(), 1)), kItems, GetParam());
}

// Scores near 0 are sums of large parts: what is added up must not lose more than the rounding of the score.
TEST_P(BayesMemberTest, ExplanationsAddUpWhereTheScoreIsFarSmallerThanItsParts) {
  BayesMember::Arrays arrays = random_arrays(GetParam(), 2);
  for (float& x : arrays.vectors) x *= 100;
  for (float& x : arrays.prior) x *= 100;
  const BayesMember member(std::move(arrays));
  Random random(3);
  const auto workspace = member.workspace();
  for (const int rows : {0, 1, 5, 40})
    testing::expect_explanation_adds_up(member, random_support(random, kItems, rows, GetParam()), kItems, *workspace);
}

// What is bought again may have a head that says nothing about it.
TEST(BayesMemberRepeatTest, WhatIsBoughtAgainIsACandidate) {
  BayesMember::Arrays arrays = random_arrays(true, 4);
  arrays.repeat = {50, 50, 50};
  const BayesMember member(std::move(arrays));
  const auto workspace = member.workspace();
  for (int32_t item = 0; item < kItems; ++item) {
    const std::vector<SupportRow> support{{.item = item, .target = 0.001F}};
    const auto all = testing::all_scores(member, support, kItems, *workspace);
    ASSERT_EQ(std::max_element(all.begin(), all.begin() + kItems) - all.begin(), item);
    std::vector<int32_t> found;
    member.candidates(*workspace, 5, {}, found);
    EXPECT_NE(std::find(found.begin(), found.end(), item), found.end()) << item;
  }
}

TEST(BayesMemberRepeatTest, WhatIsBoughtAgainIsRankedByTheMixToo) {
  BayesMember::Arrays arrays = random_arrays(true, 4);
  arrays.repeat = {1, 2, -3};
  const BayesMember member(std::move(arrays));
  const auto workspace = member.workspace();
  Random random(12);
  constexpr size_t kRoom = (kItems + 7) / 8 * 8;
  std::vector<uint8_t> cells(kRoom);
  std::vector<float> column(kRoom);
  for (size_t i = 0; i < kRoom; ++i) cells[i] = i % 5, column[i] = static_cast<float>(random.normal());
  const ItemMix mix{.cells = cells.data(),
                    .column = column.data(),
                    .largest = 10,
                    .own = {1, 0.5F, 0, 2, 1},
                    .with = {1, 2, 3, 1, 0},
                    .plus = {3}};
  for (int draw = 0; draw < 50; ++draw) {
    const auto support = random_support(random, kItems, 1 + draw % 12, true);
    const auto all = testing::all_scores(member, support, kItems, *workspace);
    const auto excluded = ItemSet::of(std::vector<int32_t>{draw, draw + 1});
    std::vector<std::pair<double, int32_t>> best;
    for (int32_t item = 0; item < kItems; ++item)
      if (!excluded.contains(item)) best.emplace_back(-mix.of(item, all[item]), item);
    std::sort(best.begin(), best.end());
    const Member::Sought sought{workspace.get(), 7, &excluded, &mix};
    member.seek({&sought, 1});
    std::vector<int32_t> found;
    member.candidates(*workspace, 7, excluded, found);
    std::sort(found.begin(), found.end());
    std::vector<int32_t> expected;
    for (int i = 0; i < 7; ++i) expected.push_back(best[i].second);
    std::sort(expected.begin(), expected.end());
    EXPECT_EQ(found, expected) << draw;
    // The mix was that of one question.
    found.clear();
    member.candidates(*workspace, 7, excluded, found);
    for (const int32_t item : found)
      EXPECT_LE(std::count_if(all.begin(), all.begin() + kItems, [&](float x) { return x > all[item] + 1e-5F; }), 9);
  }
}

// Of an item that training has not seen, the part that its features do not tell is not known.
TEST(BayesMemberUnlearnedTest, TheirVarianceHasTheSquareOfTheHeadInIt) {
  BayesMember::Arrays arrays = random_arrays(true, 6);
  const int d = arrays.head;
  arrays.learned.assign(kItems, 1);
  arrays.learned[50] = 0;
  arrays.vector_variance = 0.3F;
  arrays.bias_variance = 0.2F;
  for (int j = 0; j < d; ++j) {
    arrays.vectors[50 * d + j] = arrays.vectors[51 * d + j];  // alike but for that
    for (int k = 0; k < d; ++k) arrays.vectors[j * d + k] = j == k ? 1 : 0;
  }
  TensorFile file;
  BayesMember(arrays).save(file);
  const auto member = BayesMember::load(TensorFile::parse(file.serialize(), "memory"));
  const auto workspace = member->workspace();
  Random random(7);
  for (const int rows : {0, 1, 5, 40}) {
    const auto support = random_support(random, kItems, rows, true);
    member->adapt({support, {}}, *workspace);
    std::vector<int32_t> items{50, 51};
    for (int j = 0; j < d; ++j) items.push_back(j);
    std::vector<float> score(items.size()), variance(items.size());
    member->score(*workspace, items, score, variance);
    double squared_norm = 0;
    const auto head = static_cast<const BayesMember&>(*member).head(*workspace);
    for (int j = 0; j < d; ++j) squared_norm += variance[2 + j] + static_cast<double>(head[j]) * head[j];
    EXPECT_NEAR(variance[0] - variance[1], 0.2 + 0.3 * squared_norm, 1e-4) << rows;
  }
  member->add_item(std::vector<ColumnView>(2));  // one that is only known by its name
  std::vector<float> score(1), variance(1);
  member->adapt({{}, {}}, *workspace);
  member->score(*workspace, std::vector<int32_t>{kItems}, score, variance);
  EXPECT_GT(variance[0], 0.2F);
}

// An item of which nothing but the name is known is what all new items have in common, kept in the bundle.
TEST_P(BayesMemberTest, AnItemWithoutFeaturesHasWhatNewItemsShare) {
  const BayesMember original(random_arrays(GetParam(), 6));
  TensorFile file;
  original.save(file);
  const auto loaded = BayesMember::load(TensorFile::parse(file.serialize(), "memory"));
  loaded->add_item(std::vector<ColumnView>(2));
  const BayesMember::Arrays& a = static_cast<const BayesMember&>(*loaded).arrays();
  EXPECT_FLOAT_EQ(a.bias[kItems], original.arrays().new_item[kRaw]);
  // The whitened vector times L is the raw one.
  for (int i = 0; i < kRaw; ++i) {
    double raw = 0;
    for (int j = 0; j <= i; ++j) raw += a.whitening[i * a.head + j] * a.vectors[kItems * a.head + j];
    EXPECT_NEAR(raw, original.arrays().new_item[i], 1e-5);
  }
  BayesMember::Arrays old = random_arrays(GetParam(), 6);
  old.new_item.clear();  // a bundle of before
  BayesMember member(std::move(old));
  member.add_item(std::vector<ColumnView>(2));
  EXPECT_EQ(member.arrays().bias[kItems], 0);
}

// What a model says of an item follows its features: the same as if it had come with the new ones.
TEST_P(BayesMemberTest, AChangedItemIsWhatItWouldBeHadItComeSo) {
  BayesMember changed(random_arrays(GetParam(), 4)), fresh(random_arrays(GetParam(), 4));
  const std::vector<float> before_dense{0.3F, -1}, after_dense{-2, 0.7F};
  const std::vector<int32_t> before_ids{1}, after_ids{0, 2};
  const std::vector<ColumnView> before{{before_dense, {}}, {{}, before_ids}}, after{{after_dense, {}}, {{}, after_ids}};
  changed.add_item(before);
  fresh.add_item(after);
  changed.change_item(kItems, before, after);
  EXPECT_NEAR(changed.arrays().bias[kItems], fresh.arrays().bias[kItems], 1e-5);
  const int head = changed.arrays().head;
  for (int j = 0; j < head; ++j)
    EXPECT_NEAR(changed.arrays().vectors[kItems * head + j], fresh.arrays().vectors[kItems * head + j], 1e-5);
  testing::expect_member_contract(changed, kItems + 1, GetParam());  // the search among it
}

TEST_P(BayesMemberTest, ATrainedItemKeepsWhatItLearntWhenItsFeaturesChangeAndChangeBack) {
  BayesMember member(random_arrays(GetParam(), 5));
  const auto vectors = member.arrays().vectors;
  const std::vector<float> dense{0.3F, -1}, other{3, 2};
  const std::vector<ColumnView> before{{dense, {}}, {}}, after{{other, {}}, {}};
  member.change_item(3, before, after);
  EXPECT_NE(member.arrays().vectors, vectors);
  member.change_item(3, after, before);
  for (size_t i = 0; i < vectors.size(); ++i) EXPECT_NEAR(member.arrays().vectors[i], vectors[i], 1e-5);
}

}  // namespace
}  // namespace fewshop
