#include "table/recipe.h"

#include "core/error.h"
#include "support/temp_dir.h"
#include "table/records.h"

namespace fewshop {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::message_of;
using testing::TempDir;

Recipe recipe_of(const std::string& text) {
  TempDir dir;
  return read_recipe(dir.write("shop.toml", text));
}

std::string refusal(const std::string& text) {
  return message_of<InvalidInput>([&] { recipe_of(text); });
}

TEST(RecipeTest, EveryKeyIsUnderstood) {
  const auto recipe = recipe_of(R"(
title = "A shop"
[[table]]
name      = "sales"
files     = ["a.csv", { file = "b.txt", format = "fixed", widths = [3, 4], columns = ["id", "n"], constant = { shop = "b" } }]
separator = ";"
encoding  = "latin-1"
skip      = 1
constant  = { shop = "a" }
rename    = { id = "item_id" }
unpivot   = { columns = ["mon", "tue"], name = "day", value = "sold" }
missing   = ["NA"]
drop      = [{ column = "n", below = 0, reason = "returned" }]
keep      = ["item_id", "n", "shop", "day", "sold"]
types     = { n = "integer", day = "time:%a" }
infer     = true
index     = ["item_id", ["shop", "day"]]
[[table]]
name = "total"
sql  = "select sum(n) as n from sales"
)");
  EXPECT_EQ(recipe.name, "shop");
  ASSERT_EQ(recipe.tables.size(), 2);
  const auto& sales = recipe.tables[0];
  ASSERT_EQ(sales.files.size(), 2);
  EXPECT_EQ(sales.files[0].format.separator, ";");
  EXPECT_EQ(sales.files[0].format.encoding, Encoding::kLatin1);
  EXPECT_EQ(sales.files[0].constant.at("shop"), "a");
  EXPECT_EQ(sales.files[1].format.kind, FileFormat::Kind::kFixed);
  EXPECT_THAT(sales.files[1].format.widths, ElementsAre(3, 4));
  EXPECT_EQ(sales.files[1].constant.at("shop"), "b");
  EXPECT_EQ(sales.types.at("day").time_format, "%a");
  EXPECT_THAT(sales.index, ElementsAre(ElementsAre("item_id"), ElementsAre("shop", "day")));
  EXPECT_EQ(recipe.tables[1].sql, "select sum(n) as n from sales");
}

TEST(RecipeTest, MistakesAreNamedWithTheirPlace) {
  const std::string table = "[[table]]\nname = \"t\"\n";
  EXPECT_THAT(refusal("title = \"x\"\n"), HasSubstr("table"));
  EXPECT_THAT(refusal(table), AllOf(HasSubstr("table t"), HasSubstr("files")));
  EXPECT_THAT(refusal("[[table]]\nfiles = \"a\"\n"), HasSubstr("name"));
  EXPECT_THAT(refusal(table + "files = \"a\"\nseperator = \",\"\n"), HasSubstr("seperator"));
  EXPECT_THAT(refusal(table + "files = \"a\"\nformat = \"xml\"\n"), HasSubstr("json-lines"));
  EXPECT_THAT(refusal(table + "files = \"../a\"\n"), HasSubstr("--from"));
  EXPECT_THAT(refusal(table + "files = \"/etc/passwd\"\n"), HasSubstr("--from"));
  EXPECT_THAT(refusal(table + "files = { file = \"a\", keep = [\"x\"] }\n"), HasSubstr("keep"));
  EXPECT_THAT(refusal(table + "files = \"a\"\ntypes = { x = \"float\" }\n"), HasSubstr("types.x"));
  EXPECT_THAT(refusal(table + "files = \"a\"\nformat = \"fixed\"\n"), HasSubstr("widths"));
  EXPECT_THAT(refusal(table + "files = \"a\"\ndrop = [{ column = \"x\", missing = true }]\n"), HasSubstr("reason"));
  EXPECT_THAT(refusal(table + "files = \"a\"\ndrop = [{ column = \"x\", reason = \"r\" }]\n"),
              HasSubstr("at least one"));
  EXPECT_THAT(refusal(table + "sql = \"select 1\"\nfiles = \"a\"\n"), HasSubstr("files"));
  EXPECT_THAT(refusal(table + "sql = \"select 1\"\n" + table + "sql = \"select 1\"\n"), HasSubstr("another table"));
  EXPECT_THAT(refusal("na\xc3\xa4me = 1\n"), HasSubstr("ASCII"));
  EXPECT_THROW(read_recipe("absent.toml"), InvalidInput);
}

TEST(RecipeTest, RulesDropWhatAllTheirTestsHoldFor) {
  DropRule rule;
  rule.prefix = "C";
  EXPECT_TRUE(rule.holds("C123"));
  EXPECT_FALSE(rule.holds("123"));
  rule.equals = {"C1", "D"};
  EXPECT_TRUE(rule.holds("C1"));
  EXPECT_FALSE(rule.holds("D"));
  DropRule number;
  number.below = 0.0;
  EXPECT_TRUE(number.holds("-1"));
  for (const char* kept : {"0", "", "x"}) EXPECT_FALSE(number.holds(kept)) << kept;
  DropRule missing;
  missing.missing = true;
  EXPECT_TRUE(missing.holds(""));
  EXPECT_FALSE(missing.holds("0"));
}

TEST(RecipeTest, BundledRecipesAreAllReadable) {
  const auto bundled = bundled_recipes();
  for (const char* name : {"movielens-1m", "movielens-100k", "online-retail", "lastfm-hetrec", "filmtrust", "yelp-hin",
                           "amazon-musical-instruments", "sessions-diginetica", "recbole"})
    EXPECT_EQ(bundled.count(name), 1) << name;
  for (const auto& [name, file] : bundled) {
    const auto recipe = read_recipe(file);
    EXPECT_EQ(recipe.name, name);
    EXPECT_FALSE(recipe.title.empty());
  }
}

TEST(RecipeTest, TypesOfTheCommandLineAreRead) {
  const auto types = parse_types("a=integer,b=time:%d/%m/%Y");
  EXPECT_EQ(types.at("a").type, ColumnType::kInteger);
  EXPECT_EQ(types.at("b").time_format, "%d/%m/%Y");
  EXPECT_TRUE(parse_types("").empty());
  EXPECT_THROW(parse_types("a"), InvalidInput);
  EXPECT_THROW(parse_types("a=float"), InvalidInput);
  EXPECT_THROW(parse_types("a=time:"), InvalidInput);
  EXPECT_THROW(parse_types("a=real,a=text"), InvalidInput);
}

}  // namespace
}  // namespace fewshop
