#include "core/toml_document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "core/error.h"
#include "support/temp_dir.h"

namespace fewshop {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using testing::TempDir;

template <class Body>
std::string refusal(Body&& body) {
  try {
    body();
  } catch (const InvalidInput& error) {
    return error.what();
  }
  return "accepted";
}

TEST(TomlDocumentTest, KeepsValuesAndTheirLines) {
  const auto document = parse_toml("a = 1\n[b]\nc = [1.5, \"x\", true]\nd = 2011-09-01\n", "x.toml");
  EXPECT_EQ(document.values, json({{"a", 1}, {"b", {{"c", {1.5, "x", true}}, {"d", "2011-09-01"}}}}));
  EXPECT_EQ(document.where("b.c"), "x.toml:3: b.c");
  EXPECT_EQ(document.where("b.absent"), "x.toml: b.absent");
}

TEST(TomlDocumentTest, SkipsAByteOrderMarkAndTakesCrLf) {
  EXPECT_EQ(parse_toml("\xef\xbb\xbf"
                       "a = 1\r\nb = 2\r\n",
                       "x")
                .values,
            json({{"a", 1}, {"b", 2}}));
}

TEST(TomlDocumentTest, NamesPlaceAndLineOfAMistake) {
  EXPECT_THAT(refusal([] { parse_toml("a = 1\nb = = 2\n", "x.toml"); }), HasSubstr("x.toml:2: "));
  EXPECT_THAT(refusal([] { parse_toml("a = 1\na = 2\n", "x.toml"); }), HasSubstr("x.toml:2: "));
}

TEST(TomlDocumentTest, RefusesWhatTheLibraryOnlyAsserts) {
  EXPECT_THAT(refusal([] { parse_toml("[\nrows]\n", "x.toml"); }), HasSubstr("x.toml: not TOML"));
  auto document = parse_toml("", "x");
  apply_overrides(document, {"a=1\n[\n"});
  EXPECT_EQ(document.values["a"], "1\n[\n");
}

TEST(TomlDocumentTest, ADateOfUnderscoresDoesNotEndTheProcess) {
  for (size_t n = 100; n < 130; ++n) {
    const std::string underscores(n, '_');
    for (const auto& date : {"1979-05-27" + underscores, "1'" + underscores + "'9-05-27"}) {
      EXPECT_NE(refusal([&] { parse_toml("a = " + date + " 00:00:00\n", "x"); }), "accepted");
      EXPECT_NE(refusal([&] { parse_toml("a = [1, " + date + " 0", "x"); }), "accepted");
      auto document = parse_toml("", "x");
      EXPECT_NE(refusal([&] { apply_overrides(document, {"a=" + date + " 0"}); }), "accepted");
    }
  }
}

// The library calls these characters unreachable where it skips spaces (seen by the undefined-behaviour sanitizer
// only).
TEST(TomlDocumentTest, TakesCharactersOfEveryScriptInQuotes) {
  for (const std::string c : {"\u00e9", "\u039e", "\u0400", "\u3041", "\ufe30"}) {
    EXPECT_EQ(parse_toml("a = \"\"\"\\\n" + c + "\"\"\"", "x").values, json({{"a", c}}));
    EXPECT_THAT(refusal([&] { parse_toml("a = \"\"\"\\" + c + "\"\"\"", "x"); }), HasSubstr("x:1: "));
    EXPECT_THAT(refusal([&] { parse_toml("a = 1\"" + c + "\"", "x"); }), HasSubstr("x:1: "));
  }
}

TEST(TomlDocumentTest, RefusesWhatIsNoFileBeforeReadingIt) {
  const TempDir folder;
  EXPECT_THAT(refusal([&] { read_toml(folder / "absent.toml"); }), HasSubstr("absent.toml: no such file"));
  EXPECT_THAT(refusal([&] { read_toml(folder.path().string()); }), HasSubstr("a directory"));
  // 100 MB, without writing them.
  const std::string large = folder.write("large.toml", "a = 1\n");
  std::filesystem::resize_file(large, 100'000'000);
  EXPECT_THAT(refusal([&] { read_toml(large); }), HasSubstr("100000000 bytes"));
  EXPECT_THAT(refusal([&] {
                read_toml(folder.write("garbage.toml", std::string("\x7f"
                                                                   "ELF\x02\x01\0\0\xff",
                                                                   9)));
              }),
              HasSubstr("garbage.toml:1: "));
}

TEST(TomlDocumentTest, OverridesSetValuesOfEveryKind) {
  auto document = parse_toml("[split]\nseed = 1\n", "x");
  apply_overrides(document, {"split.seed=3", "learner.name=als", "episode.shots=[1, \"80%\"]", "learner.stack=false",
                             "split.valid=0.2", "rows.positive=>= 4"});
  EXPECT_EQ(document.values, json({{"split", {{"seed", 3}, {"valid", 0.2}}},
                                   {"learner", {{"name", "als"}, {"stack", false}}},
                                   {"episode", {{"shots", {1, "80%"}}}},
                                   {"rows", {{"positive", ">= 4"}}}}));
  EXPECT_EQ(document.where("split.seed"), "x: split.seed");
}

TEST(TomlDocumentTest, WhatFollowsFeaturesIsOneKey) {
  auto document = parse_toml("", "x");
  apply_overrides(document, {"features.items.genres=category"});
  EXPECT_EQ(document.values, json({{"features", {{"items.genres", "category"}}}}));
}

TEST(TomlDocumentTest, RefusesOverridesWithoutKeyOrIntoAValue) {
  auto document = parse_toml("name = \"x\"\n", "x");
  EXPECT_THAT(refusal([&] { apply_overrides(document, {"split.seed"}); }), HasSubstr("expected KEY=VALUE"));
  EXPECT_THAT(refusal([&] { apply_overrides(document, {"=3"}); }), HasSubstr("expected KEY=VALUE"));
  EXPECT_THAT(refusal([&] { apply_overrides(document, {"split..seed=3"}); }), HasSubstr("empty part"));
  EXPECT_THAT(refusal([&] { apply_overrides(document, {"name.x=3"}); }), HasSubstr("'name' is a value"));
}

}  // namespace
}  // namespace fewshop
