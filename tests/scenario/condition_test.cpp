#include "scenario/condition.h"

#include <gtest/gtest.h>

namespace fewshop {
namespace {

TEST(ConditionTest, ComparesNumbers) {
  EXPECT_TRUE(parse_condition(">= 4")->holds(4.0));
  EXPECT_FALSE(parse_condition(">= 4")->holds(3.5));
  EXPECT_FALSE(parse_condition("> 4")->holds(4.0));
  EXPECT_TRUE(parse_condition("<4.5")->holds(4.0));
  EXPECT_TRUE(parse_condition("<= -1")->holds(-1.0));
  EXPECT_TRUE(parse_condition("= 1")->holds(1.0));
  EXPECT_TRUE(parse_condition("!= 1")->holds(2.0));
}

TEST(ConditionTest, ReadsNumbersThatStandInTextColumns) {
  EXPECT_TRUE(parse_condition(">= 4")->holds(std::string_view("5")));
  EXPECT_FALSE(parse_condition(">= 4")->holds(std::string_view("many")));
}

TEST(ConditionTest, ComparesTextForEqualityOnly) {
  EXPECT_TRUE(parse_condition("== purchase")->holds(std::string_view("purchase")));
  EXPECT_TRUE(parse_condition("!= view")->holds(std::string_view("purchase")));
  EXPECT_FALSE(parse_condition(">= purchase").has_value());
}

TEST(ConditionTest, RefusesWhatIsNoComparison) {
  for (const char* text : {"", "4", ">=", "about 4", "= "}) EXPECT_FALSE(parse_condition(text).has_value()) << text;
}

}  // namespace
}  // namespace fewshop
