#include "core/toml_guard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"

namespace fewshop {
namespace {

using ::testing::HasSubstr;

std::string refusal(const std::string& text) {
  try {
    check_toml_text(text, "x.toml");
  } catch (const InvalidInput& error) {
    return error.what();
  }
  return "accepted";
}

TEST(TomlGuardTest, RefusesBytesBeyondAsciiInBareKeysAndNamesTheLine) {
  EXPECT_THAT(refusal("a = 1\n\xce\x9e = 2\n"), HasSubstr("x.toml:2: a character outside ASCII"));
  EXPECT_THAT(refusal("a = \xce\x9e\n"), HasSubstr("outside ASCII"));
}

TEST(TomlGuardTest, AcceptsBytesBeyondAsciiInQuotesAndComments) {
  EXPECT_EQ(refusal("\"\xce\x9e\" = '\xce\x9e' # \xce\x9e\n"), "accepted");
  EXPECT_EQ(refusal("a = \"\"\"\xce\x9e\n\"\xce\x9e\"\"\"\"\nb = '''\xce\x9e'''\n"), "accepted");
}

TEST(TomlGuardTest, FindsTheEndOfStringsWithEscapesAndQuotes) {
  EXPECT_THAT(refusal("a = \"x\\\"y\" \xce\x9e"), HasSubstr("outside ASCII"));
  EXPECT_THAT(refusal("a = 'x\\' \xce\x9e"), HasSubstr("outside ASCII"));
  EXPECT_THAT(refusal("a = \"open\n\xce\x9e = 1"), HasSubstr("x.toml:2"));
  EXPECT_THAT(refusal("a = \"\" \xce\x9e"), HasSubstr("outside ASCII"));
}

TEST(TomlGuardTest, RefusesDeepBracketsAndDeepDottedKeys) {
  EXPECT_THAT(refusal("a = " + std::string(10'000, '[')), HasSubstr("nested deeper than 64"));
  std::string key = "a";
  for (int i = 0; i < 10'000; ++i) key += ".a";
  EXPECT_THAT(refusal(key + " = 1"), HasSubstr("more than 64 parts"));
  EXPECT_THAT(refusal("[" + key + "]"), HasSubstr("more than 64 parts"));
}

TEST(TomlGuardTest, LongListsOfNumbersAreNotDeep) {
  std::string list = "a = [0.5";
  for (int i = 0; i < 1000; ++i) list += ", 0.5";
  EXPECT_EQ(refusal(list + "]"), "accepted");
}

TEST(TomlGuardTest, RefusesNumbersOfUnderscores) {
  const std::string underscores(64, '_');
  EXPECT_THAT(refusal("a = 1\nb = 1" + underscores), HasSubstr("x.toml:2: a number with 64 underscores"));
  EXPECT_THAT(refusal("a=[2," + underscores + "1, 9" + underscores + "]"), HasSubstr("64 underscores"));
  EXPECT_THAT(refusal("a = 1'" + underscores + "'"), HasSubstr("64 underscores"));
  EXPECT_EQ(refusal("a = 1_000_000\n" + underscores + "1 = \"0" + underscores + "\"\n# 0" + underscores), "accepted");
}

TEST(TomlGuardTest, RefusesLargeTextAndZeroBytes) {
  EXPECT_THAT(refusal(std::string(kMaxTomlBytes + 1, ' ')), HasSubstr("at most 1048576 bytes"));
  EXPECT_THAT(refusal(std::string("a = 1\n\0", 7)), HasSubstr("a zero byte"));
  EXPECT_THAT(refusal(std::string("# \0", 3)), HasSubstr("a zero byte"));
}

}  // namespace
}  // namespace fewshop
