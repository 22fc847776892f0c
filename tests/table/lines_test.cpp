#include "core/error.h"
#include "support/temp_dir.h"
#include "table/records.h"

namespace fewshop {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::read_all;
using testing::Rows;
using testing::TempDir;

testing::Read read_text(const std::string& text, const FileFormat& format) {
  TempDir dir;
  return read_all(dir.write("a.txt", text), format);
}

TEST(LinesTest, BlanksOfAnyNumberSeparate) {
  FileFormat format;
  format.kind = FileFormat::Kind::kBlanks;
  format.columns = {"user", "item", "rating"};
  const auto read = read_text("  1 2\t 3.5\r\n\n4 5 6\n7 8\n1 2 3 4\n", format);
  EXPECT_EQ(read.rows, (Rows{{"1", "2", "3.5"}, {"4", "5", "6"}}));
  EXPECT_THAT(read.problems,
              ElementsAre("4: expected 3 fields, got 2 | 7 8", HasSubstr("5: expected 3 fields, got 4")));
  format.columns.clear();
  EXPECT_THAT(read_text("a  b\n1 2\n", format).columns, ElementsAre("a", "b"));
}

TEST(LinesTest, FixedWidthsCountCharacters) {
  FileFormat format;
  format.kind = FileFormat::Kind::kFixed;
  format.columns = {"id", "name", "n"};
  format.widths = {3, 5, 4};
  const auto read = read_text("001Zoé  12\n 2 Bob     7\n3\n4  Ann  12345\n", format);
  EXPECT_EQ(read.rows, (Rows{{"001", "Zoé", "12"}, {"2", "Bob", "7"}, {"3", "", ""}}));
  EXPECT_THAT(read.problems, ElementsAre(HasSubstr("4: the line is longer than its columns")));
}

TEST(LinesTest, ItemsOfALineGetTheirPosition) {
  FileFormat format;
  format.kind = FileFormat::Kind::kItems;
  format.separator = "";
  format.line = "session_id";
  const auto read = read_text("a b\n\nc\n", format);
  EXPECT_THAT(read.columns, ElementsAre("session_id", "item_id", "position"));
  EXPECT_EQ(read.rows, (Rows{{"1", "a", "0"}, {"1", "b", "1"}, {"3", "c", "0"}}));
  format.separator = ",";
  format.line_first = true;
  EXPECT_EQ(read_text("u7,whole milk, butter,,\n", format).rows,
            (Rows{{"u7", "whole milk", "0"}, {"u7", "butter", "1"}}));
}

TEST(LinesTest, LineOfItemsThatIsNoTextIsOneReject) {
  FileFormat format;
  format.kind = FileFormat::Kind::kItems;
  format.separator = "";
  const auto read = read_text("a b\n\xff c d\ne\n", format);
  EXPECT_EQ(read.rows, (Rows{{"1", "a", "0"}, {"1", "b", "1"}, {"3", "e", "0"}}));
  EXPECT_THAT(read.problems, ElementsAre(HasSubstr("2: not UTF-8")));
}

TEST(LinesTest, SkippedLinesStillCount) {
  FileFormat format;
  format.kind = FileFormat::Kind::kBlanks;
  format.columns = {"a", "b"};
  format.skip = 2;
  const auto read = read_text("# one\n# two\n1 2\n3\n", format);
  EXPECT_EQ(read.rows, (Rows{{"1", "2"}}));
  EXPECT_THAT(read.problems, ElementsAre(HasSubstr("4: ")));
}

}  // namespace
}  // namespace fewshop
