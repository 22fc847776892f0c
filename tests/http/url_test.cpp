#include "http/url.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "http/route.h"

namespace fewshop::http {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

TEST(Url, EscapesAreDecodedAndBrokenOnesRefused) {
  EXPECT_EQ(percent_decode("a%20b+c"), "a b+c");
  EXPECT_EQ(percent_decode("a%20b+c", true), "a b c");
  EXPECT_EQ(percent_decode("%C3%A9%e2%82%ac"), "é€");
  for (const char* broken : {"%", "%2", "%zz", "%2g", "a%", "%00", "%ff", "%C3", "%ed%a0%80", "%c0%af", "%f4%90%80%80"})
    EXPECT_THROW(percent_decode(broken), HttpError) << broken;
  EXPECT_THROW(percent_decode(std::string_view("a\0b", 3)), HttpError);
}

TEST(Url, WhatIsEncodedIsDecodedAgain) {
  EXPECT_TRUE(rc::check("encode, decode", [](const std::string& text) {
    const std::string encoded = percent_encode(text);
    if (is_utf8(text) && text.find('\0') == std::string::npos)
      RC_ASSERT(percent_decode(encoded) == text);
    else
      RC_ASSERT_THROWS_AS(percent_decode(encoded), HttpError);
  }));
}

TEST(Url, QueriesArePairsInOrder) {
  EXPECT_THAT(parse_query("a=1&b&a=2&&c==+x%26"),
              ElementsAre(Pair("a", "1"), Pair("b", ""), Pair("a", "2"), Pair("c", "= x&")));
  EXPECT_THAT(parse_query(""), IsEmpty());
  EXPECT_THROW(parse_query("a=%"), HttpError);
  std::string many;
  for (int i = 0; i < 1001; ++i) many += "a&";
  EXPECT_THROW(parse_query(many), HttpError);
}

TEST(Url, PathsAreCutBeforeTheyAreDecoded) {
  EXPECT_THAT(path_segments("/a/b%2Fc/"), ElementsAre("a", "b/c"));
  EXPECT_THAT(path_segments("/"), IsEmpty());
  EXPECT_THAT(path_segments("/a//b"), ElementsAre("a", "", "b"));
}

TEST(Url, TargetsOfAllFormsAreCut) {
  EXPECT_EQ(split_target("/a?b=c?d").path, "/a");
  EXPECT_EQ(split_target("/a?b=c?d").query, "b=c?d");
  EXPECT_EQ(split_target("http://shop.example/a?b").path, "/a");
  EXPECT_EQ(split_target("http://shop.example").path, "/");
  EXPECT_EQ(split_target("http://shop.example?q").query, "q");
  EXPECT_THROW(split_target("a/b"), HttpError);
  EXPECT_THROW(split_target("/a#b"), HttpError);
}

}  // namespace
}  // namespace fewshop::http
