#include "core/text.h"

#include <gtest/gtest.h>

namespace fewshop {
namespace {

TEST(TextTest, PartsOfAList) {
  EXPECT_EQ(split_list("a,b,,c", ','), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(split_list("", ','), std::vector<std::string>{});
  EXPECT_EQ(split_list(",", ','), std::vector<std::string>{});
}

TEST(TextTest, SmallLettersForAToZOnly) {
  EXPECT_EQ(ascii_lower("AZaz09@[`{ \xC3\x84"), "azaz09@[`{ \xC3\x84");
  EXPECT_EQ(ascii_lower({"A\0B", 3}), std::string("a\0b", 3));
  EXPECT_EQ(ascii_lower(""), "");
}

}  // namespace
}  // namespace fewshop
