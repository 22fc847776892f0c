#include "feature/encode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"

namespace fewshop {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Values = std::vector<std::optional<std::string>>;

RawColumn raw(FeatureType type, Values values, const std::string& name = "items.x") {
  return {{name, type}, std::move(values)};
}

std::vector<float> dense(const ColumnView& view) { return {view.dense.begin(), view.dense.end()}; }
std::vector<int32_t> ids(const ColumnView& view) { return {view.ids.begin(), view.ids.end()}; }

TEST(EncodeTest, VocabulariesComeFromTrainingOnlyByCountThenText) {
  const auto column = raw(FeatureType::kCategories, {"b|a", "a|c", "a|d|d", "c|e", std::nullopt});
  const auto encoder = fit_encoder(column, {1, 1, 1, 0, 1});
  EXPECT_THAT(encoder.vocabulary, ElementsAre("a", "b", "c", "d"));
  const Columns columns = encode_columns({encoder}, {column}, 5);
  EXPECT_THAT(ids(columns.columns[0].row(0)), ElementsAre(1, 0));
  EXPECT_THAT(ids(columns.columns[0].row(3)), ElementsAre(2));  // e was never seen
  EXPECT_THAT(ids(columns.columns[0].row(4)), IsEmpty());
}

TEST(EncodeTest, SequencesKeepOrderAndRepeatsButCountForOneEntity) {
  const auto column = raw(FeatureType::kSequence, {"b|a|b|b", "a|c|new|a", "a"});
  const auto encoder = fit_encoder(column, {1, 0, 1});
  EXPECT_THAT(encoder.vocabulary, ElementsAre("a", "b"));  // two entities against one
  const Columns columns = encode_columns({encoder}, {column}, 3);
  EXPECT_THAT(ids(columns.columns[0].row(0)), ElementsAre(1, 0, 1, 1));
  EXPECT_THAT(ids(columns.columns[0].row(1)), ElementsAre(0, 0));
  EXPECT_THAT(ids(encode_entity({encoder}, {{"x", "b|z|a|b"}}).views[0]), ElementsAre(1, 0, 1));
}

TEST(EncodeTest, SequencesThatKnewNoRepeatsAreRefused) {
  Encoders encoders;
  encoders.items.push_back(fit_encoder(raw(FeatureType::kSequence, {"a|b"}), {1}));
  auto json = encoders_to_json(encoders);
  EXPECT_NO_THROW(encoders_from_json(json));
  json["format"] = 2;
  EXPECT_THROW(encoders_from_json(json), InvalidInput);
  json["items"][0]["type"] = "categories";
  EXPECT_NO_THROW(encoders_from_json(json)) << "nothing else changed";
}

TEST(EncodeTest, TextsKeepTheOrderOfTheirWords) {
  const auto column = raw(FeatureType::kText, {"red lamp", "lamp, red!"});
  const Columns columns = encode_columns({fit_encoder(column, {1, 1})}, {column}, 2);
  const auto first = ids(columns.columns[0].row(0)), second = ids(columns.columns[0].row(1));
  ASSERT_EQ(first.size(), 2);
  EXPECT_THAT(second, ElementsAre(first[1], first[0]));
}

TEST(EncodeTest, WordsOfATextMustOccurTwice) {
  EXPECT_THAT(fit_encoder(raw(FeatureType::kText, {"red lamp", "Lamp lamp", "blue"}), {1, 1, 1}).vocabulary,
              ElementsAre("lamp"));
}

TEST(EncodeTest, NumbersAreStandardisedOverTrainingWithAMissingIndicator) {
  const auto column = raw(FeatureType::kNumber, {"1", "3", "100", std::nullopt, "many"});
  const auto encoder = fit_encoder(column, {1, 1, 0, 1, 1});
  const Columns columns = encode_columns({encoder}, {column}, 5);
  // Mean (1 + 3) / 2, deviation 1.
  EXPECT_THAT(dense(columns.columns[0].row(0)), ElementsAre(-1, 0));
  EXPECT_THAT(dense(columns.columns[0].row(1)), ElementsAre(1, 0));
  EXPECT_THAT(dense(columns.columns[0].row(2)), ElementsAre(10, 0));  // 98, held back
  EXPECT_THAT(dense(columns.columns[0].row(3)), ElementsAre(0, 1));
  EXPECT_THAT(dense(columns.columns[0].row(4)), ElementsAre(0, 1));
}

TEST(EncodeTest, ConstantAndAbsentNumbersStayFinite) {
  for (const Values& values : {Values{"5", "5"}, Values{std::nullopt, std::nullopt}, Values{"1e300", "-1e300"}}) {
    const auto column = raw(FeatureType::kNumber, values);
    const Columns columns = encode_columns({fit_encoder(column, {1, 1})}, {column}, 2);
    for (const float value : columns.columns[0].dense) EXPECT_TRUE(std::isfinite(value));
  }
}

TEST(EncodeTest, LargeNumbersThatDifferLittleKeepTheirDifference) {
  const auto column = raw(FeatureType::kTime, {"2011-06-01", "2011-06-03"});
  const Columns columns = encode_columns({fit_encoder(column, {1, 1})}, {column}, 2);
  EXPECT_NEAR(columns.columns[0].row(0).dense[0], -1, 1e-5);
  EXPECT_NEAR(columns.columns[0].row(1).dense[0], 1, 1e-5);
  EXPECT_EQ(columns.columns[0].width, 8);
}

TEST(EncodeTest, AVectorOfAnotherWidthIsMissing) {
  const auto column = raw(FeatureType::kVector, {"1|2", "3|4", "5"});
  const Columns columns = encode_columns({fit_encoder(column, {1, 1, 1})}, {column}, 3);
  EXPECT_THAT(dense(columns.columns[0].row(1)), ElementsAre(1, 1, 0));
  EXPECT_THAT(dense(columns.columns[0].row(2)), ElementsAre(0, 0, 1));
}

Encoders fitted() {
  Encoders encoders;
  encoders.items = {fit_encoder(raw(FeatureType::kCategory, {"x", "y"}, "items.kind"), {1, 1}),
                    fit_encoder(raw(FeatureType::kNumber, {"1", "3"}, "items.price"), {1, 1})};
  encoders.tasks = {fit_encoder(raw(FeatureType::kText, {"a b", "b a"}, "tasks.name"), {1, 1})};
  return encoders;
}

TEST(EncodeTest, OneEntityIsEncodedAsItsTableRow) {
  const auto entity = encode_entity(fitted().items, {{"kind", "y"}, {"price", "3"}});
  ASSERT_EQ(entity.views.size(), 2);
  EXPECT_THAT(ids(entity.views[0]), ElementsAre(1));
  EXPECT_THAT(dense(entity.views[1]), ElementsAre(1, 0));
  const auto unknown = encode_entity(fitted().items, {{"kind", "z"}, {"price", std::nullopt}});
  EXPECT_THAT(ids(unknown.views[0]), IsEmpty());
  EXPECT_THAT(dense(unknown.views[1]), ElementsAre(0, 1));
}

TEST(EncodersJsonTest, ReadsBackWhatItWrote) {
  const auto json = encoders_to_json(fitted());
  const Encoders back = encoders_from_json(nlohmann::json::parse(json.dump()));
  EXPECT_EQ(encoders_to_json(back), json);
  EXPECT_EQ(back.items[0].find("y"), 1);
  EXPECT_EQ(back.items[0].find("z"), -1);
}

TEST(EncodersJsonTest, RefusesShapesThatDisagree) {
  auto json = encoders_to_json(fitted());
  json["items"][1]["mean"] = {0.0};
  EXPECT_THROW(encoders_from_json(json), InvalidInput);
  json = encoders_to_json(fitted());
  json["items"][1]["scale"][0] = 0.0;
  EXPECT_THROW(encoders_from_json(json), InvalidInput);
  EXPECT_THROW(encoders_from_json(nlohmann::json::array()), InvalidInput);
}

}  // namespace
}  // namespace fewshop
