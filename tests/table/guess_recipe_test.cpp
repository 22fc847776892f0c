#include "core/error.h"
#include "support/temp_dir.h"
#include "table/recipe.h"
#include "table/records.h"

namespace fewshop {
namespace {

using ::testing::HasSubstr;
using testing::message_of;
using testing::TempDir;
using Kind = FileFormat::Kind;

FileFormat format_of(const std::string& name, const std::string& text) {
  TempDir dir;
  return guess_recipe({dir.write(name, text)}).tables.at(0).files.at(0).format;
}

TEST(GuessRecipeTest, SeparatorsAreFoundInTheHeader) {
  EXPECT_EQ(format_of("a.csv", "user,item\n").separator, ",");
  EXPECT_EQ(format_of("a.csv", "user;item;\"a,b,c,d\"\n").separator, ";");
  EXPECT_EQ(format_of("a.tsv", "user\titem\n").separator, "\t");
  EXPECT_EQ(format_of("a.txt", "user|item\n").separator, "|");
  EXPECT_EQ(format_of("a.dat", "user::item\n").separator, "::");
  EXPECT_EQ(format_of("a.csv", "only\n").separator, ",");
}

TEST(GuessRecipeTest, OtherFormatsAreFoundByTheirFirstLine) {
  EXPECT_EQ(format_of("a.jsonl", "\n {\"a\": 1}\n").kind, Kind::kJsonLines);
  EXPECT_EQ(format_of("a.json", "{\"a\": 1}\n").kind, Kind::kJsonLines);
  EXPECT_EQ(format_of("a.json", "[{\"a\": 1}]").kind, Kind::kJson);
  EXPECT_EQ(format_of("a.inter", "user_id:token\titem_id:token\n").kind, Kind::kRecbole);
}

TEST(GuessRecipeTest, TablesAreCalledLikeTheirFiles) {
  TempDir dir;
  const auto a = dir.write("sales.csv", "a,b\n"), b = dir.write("users.tsv", "a\tb\n");
  EXPECT_EQ(guess_recipe({a, b}).tables[1].name, "users");
  const auto together = guess_recipe({a, b}, "all");
  ASSERT_EQ(together.tables.size(), 1);
  EXPECT_EQ(together.tables[0].files.size(), 2);
  std::filesystem::create_directory(dir / "x");
  EXPECT_THAT(message_of<InvalidInput>([&] {
                guess_recipe({a, dir.write("x/sales.csv", "a,b\n")});
              }),
              HasSubstr("--table"));
}

TEST(GuessRecipeTest, FilesWithoutHeaderAreRefused) {
  TempDir dir;
  EXPECT_THAT(message_of<InvalidInput>([&] { guess_recipe({dir.write("a.csv", "1,2,3.5\n1,3,4\n")}); }),
              HasSubstr("columns = [...]"));
  EXPECT_THROW(guess_recipe({dir.write("b.csv", "")}), InvalidInput);
  EXPECT_THROW(guess_recipe({dir.write("c.csv", std::string("\x89PNG\r\n\x1a\n\0\0\0", 11))}), InvalidInput);
  EXPECT_THROW(guess_recipe({dir.path().string()}), InvalidInput);
}

}  // namespace
}  // namespace fewshop
