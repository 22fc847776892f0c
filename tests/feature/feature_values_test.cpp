#include "feature/feature_values.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace fewshop {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

FeatureSpec spec(FeatureType type, const std::string& separator = "|") { return {"items.x", type, separator}; }

TEST(FeatureValuesTest, ACategoryIsTheTrimmedValue) {
  EXPECT_THAT(words_of(spec(FeatureType::kCategory), " a|b "), ElementsAre("a|b"));
  EXPECT_THAT(words_of(spec(FeatureType::kCategory), "  "), IsEmpty());
}

TEST(FeatureValuesTest, CategoriesAreSplitTrimmedAndCountedOnce) {
  EXPECT_THAT(words_of(spec(FeatureType::kCategories), "b| a||b|"), ElementsAre("b", "a"));
  EXPECT_THAT(words_of(spec(FeatureType::kCategories, ", "), "x y, z"), ElementsAre("x y", "z"));
  EXPECT_THAT(words_of(spec(FeatureType::kSequence), "b| a||b|"), ElementsAre("b", "a", "b"));
}

TEST(FeatureValuesTest, BytesThatAreNoUtf8BecomeReplacementCharacters) {
  EXPECT_THAT(words_of(spec(FeatureType::kCategory),
                       "a\xff"
                       "b"),
              ElementsAre("a\xef\xbf\xbd"
                          "b"));
  EXPECT_THAT(words_of(spec(FeatureType::kCategory), "\xed\xa0\x80"),
              ElementsAre("\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"));
  EXPECT_THAT(words_of(spec(FeatureType::kCategory), "\xf0\x9f\x98\x80"), ElementsAre("\xf0\x9f\x98\x80"));
}

TEST(FeatureValuesTest, NumbersParseWhollyOrAreMissing) {
  EXPECT_THAT(*numbers_of(spec(FeatureType::kNumber), " +1.5 "), ElementsAre(1.5));
  for (const char* text : {"", "--", "1e999", "nan", "inf", "1,5", "12 kg"})
    EXPECT_FALSE(numbers_of(spec(FeatureType::kNumber), text).has_value()) << text;
  EXPECT_THAT(*numbers_of(spec(FeatureType::kLogNumber), "-3"), ElementsAre(DoubleNear(-std::log(4), 1e-12)));
}

TEST(FeatureValuesTest, TimesBecomeDaysAndTurnsOfYearWeekAndDay) {
  // 1970-01-01 was a Thursday: weekday 4 of 7.
  const double week = 2 * M_PI * 4 / 7;
  EXPECT_THAT(*numbers_of(spec(FeatureType::kTime), "1970-01-01 06:00"),
              ElementsAre(0.25, 0, 1, DoubleNear(std::sin(week), 1e-12), DoubleNear(std::cos(week), 1e-12),
                          DoubleNear(1, 1e-12), DoubleNear(0, 1e-12)));
  EXPECT_FALSE(numbers_of(spec(FeatureType::kTime), "2011-02-30").has_value());
}

TEST(FeatureValuesTest, VectorsAreNumbersBetweenSeparators) {
  EXPECT_THAT(*numbers_of(spec(FeatureType::kVector, " "), "1  2.5 -3"), ElementsAre(1, 2.5, -3));
  EXPECT_FALSE(numbers_of(spec(FeatureType::kVector), "1|x").has_value());
  EXPECT_FALSE(numbers_of(spec(FeatureType::kVector), "1||2").has_value());
}

}  // namespace
}  // namespace fewshop
