#include "table/field_value.h"

#include "core/error.h"
#include "core/time.h"

namespace fewshop {
namespace {

/// The value as text, or "misfit".
std::string parsed(const std::string& text, const std::string& type) {
  Value value;
  if (!parse_field(text, FieldType::parse(type, "test"), value)) return "misfit";
  return value.is_null() ? "null" : value.to_text();
}

TEST(FieldValueTest, NumbersFitOnlyWhenTheyAreFiniteNumbers) {
  for (const char* bad : {"1e999", "-1e999", "nan", "NaN", "inf", "-inf", "--", "-", "+", "1,5", "1.5.2", "0x10", "1 2",
                          "one", "+-1", " "})
    EXPECT_EQ(parsed(bad, "real"), "misfit") << bad;
  for (const char* bad : {"1.0", "1e3", "9223372036854775808", "--", "nan", ""})
    EXPECT_EQ(parsed(bad, "integer"), *bad ? "misfit" : "null") << bad;
  EXPECT_EQ(parsed("-9223372036854775808", "integer"), "-9223372036854775808");
  EXPECT_EQ(parsed(" +7 ", "integer"), "7");
  EXPECT_EQ(parsed("007", "integer"), "7");
  EXPECT_EQ(parsed("-.5", "real"), "-0.5");
  EXPECT_EQ(parsed("1e3", "real"), "1000");
}

TEST(FieldValueTest, EmptyIsMissingAndTextStaysAsItIs) {
  for (const char* type : {"integer", "real", "text", "time", "boolean"}) EXPECT_EQ(parsed("", type), "null");
  const std::string id = std::string(10'000, 'x') + "\"',\n\xf0\x9f\x98\x80 ";
  EXPECT_EQ(parsed(id, "text"), id);
}

TEST(FieldValueTest, DatesThatDoNotExistDoNotFit) {
  EXPECT_EQ(parsed("2011-02-29", "time"), "misfit");
  EXPECT_EQ(parsed("2012-02-29", "time"), std::to_string(*parse_time("2012-02-29")));
  EXPECT_EQ(parsed("2011-13-01 10:00", "time"), "misfit");
  EXPECT_EQ(parsed("2011-01-01 25:00", "time"), "misfit");
  EXPECT_EQ(parsed("30/02/2011", "time:%d/%m/%Y"), "misfit");
  EXPECT_EQ(parsed("28/02/2011", "time:%d/%m/%Y"), std::to_string(*parse_time("2011-02-28")));
  EXPECT_EQ(parsed("19970101", "time:%Y%m%d"), std::to_string(*parse_time("1997-01-01")));
  EXPECT_EQ(parsed("22 Nov 1995 18:30 +0100", "time:%d %b %Y %H:%M %z"),
            std::to_string(*parse_time("1995-11-22 17:30")));
  EXPECT_EQ(parsed("19970101 rest", "time:%Y%m%d"), "misfit");
}

TEST(FieldValueTest, BooleansAreWordsOrZeroAndOne) {
  for (const char* yes : {"1", "true", "TRUE", "Yes", "y", "t"}) EXPECT_EQ(parsed(yes, "boolean"), "1") << yes;
  for (const char* no : {"0", "false", "No", "n", "F"}) EXPECT_EQ(parsed(no, "boolean"), "0") << no;
  for (const char* bad : {"2", "maybe", "-1", "tru"}) EXPECT_EQ(parsed(bad, "boolean"), "misfit") << bad;
}

TEST(FieldValueTest, UnknownTypesAreRefused) {
  EXPECT_THROW(FieldType::parse("float", "x"), InvalidInput);
  EXPECT_THROW(FieldType::parse("real:%d", "x"), InvalidInput);
}

ColumnType guessed(const std::string& column, const std::vector<std::string>& values) {
  TypeGuess guess(column);
  for (const auto& value : values) guess.add(value);
  return guess.type();
}

TEST(TypeGuessTest, TypesFollowFromTheValues) {
  EXPECT_EQ(guessed("n", {"1", "", "-2"}), ColumnType::kInteger);
  EXPECT_EQ(guessed("x", {"1", "2.5"}), ColumnType::kReal);
  EXPECT_EQ(guessed("t", {"2011-01-01", "2011-01-02 10:00:00"}), ColumnType::kTime);
  EXPECT_EQ(guessed("b", {"true", "False"}), ColumnType::kBoolean);
  EXPECT_EQ(guessed("s", {"1", "a"}), ColumnType::kText);
  EXPECT_EQ(guessed("e", {"", ""}), ColumnType::kText);
  EXPECT_EQ(guessed("g", {"M", "F", "n"}), ColumnType::kText);
}

TEST(TypeGuessTest, IdsAndLeadingZerosAreText) {
  for (const char* name : {"id", "user_id", "User_ID", "userId", "CustomerID"})
    EXPECT_EQ(guessed(name, {"1", "2"}), ColumnType::kText) << name;
  EXPECT_EQ(guessed("paid", {"1", "2"}), ColumnType::kInteger);
  EXPECT_EQ(guessed("zip", {"12345", "02460"}), ColumnType::kText);
  EXPECT_EQ(guessed("share", {"0", "0.5", "-0.25"}), ColumnType::kReal);
}

TEST(TypeGuessTest, EpochsAreTimesWhereTheNameSaysSo) {
  EXPECT_EQ(guessed("timestamp", {"881250949", "891717742"}), ColumnType::kTime);
  EXPECT_EQ(guessed("created_at", {"1700000000000"}), ColumnType::kTime);
  EXPECT_EQ(guessed("views", {"881250949"}), ColumnType::kInteger);
  EXPECT_EQ(guessed("time", {"5", "7"}), ColumnType::kInteger);
}

TEST(TypeGuessTest, ATypeHoldsWhenNinetyNineOfAHundredFit) {
  std::vector<std::string> values(99, "5");
  values.push_back("--");
  EXPECT_EQ(guessed("n", values), ColumnType::kInteger);
  values.push_back("--");
  EXPECT_EQ(guessed("n", values), ColumnType::kText);
}

}  // namespace
}  // namespace fewshop
