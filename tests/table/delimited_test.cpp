#include <rapidcheck.h>

#include "core/error.h"
#include "support/temp_dir.h"
#include "table/records.h"

namespace fewshop {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::message_of;
using testing::read_all;
using testing::Rows;
using testing::TempDir;

FileFormat separated(const std::string& separator) {
  FileFormat format;
  format.separator = separator;
  return format;
}

testing::Read read_csv(const std::string& text, const FileFormat& format = {}) {
  TempDir dir;
  return read_all(dir.write("a.csv", text), format);
}

TEST(DelimitedTest, ReadsQuotesSeparatorsAndLineEndsInFields) {
  const auto read = read_csv("id,text\r\n1,\"a, \"\"b\"\"\nc\"\r\n\"2\",5\" pipe\n3,\"\"\n\n4,x");
  EXPECT_THAT(read.columns, ElementsAre("id", "text"));
  EXPECT_EQ(read.rows, (Rows{{"1", "a, \"b\"\nc"}, {"2", "5\" pipe"}, {"3", ""}, {"4", "x"}}));
  EXPECT_THAT(read.problems, IsEmpty());
}

TEST(DelimitedTest, ReadsSeparatorsOfAnyLength) {
  auto format = separated("::");
  format.columns = {"a", "b", "c"};
  format.quote = 0;
  EXPECT_EQ(read_csv("1::Toy: Story::\"x\n2::::y\n", format).rows, (Rows{{"1", "Toy: Story", "\"x"}, {"2", "", "y"}}));
  format.separator = "<->";
  format.quote = '"';
  EXPECT_EQ(read_csv("1<->\"<->\"<->3\n", format).rows, (Rows{{"1", "<->", "3"}}));
}

TEST(DelimitedTest, RejectsRowsWithTooFewOrTooManyFields) {
  const auto read = read_csv("a,b\n1\n1,2\n1,2,3\n");
  EXPECT_EQ(read.rows, (Rows{{"1", "2"}}));
  EXPECT_THAT(read.problems, ElementsAre("2: expected 2 fields, got 1 | 1", "4: expected 2 fields, got 3 | 1,2,3"));
}

TEST(DelimitedTest, UnclosedQuoteCostsItsLineOnly) {
  const auto read = read_csv("a,b\n1,x\n2,\"never closed\n3,y\n4,z\n");
  EXPECT_EQ(read.rows, (Rows{{"1", "x"}, {"3", "y"}, {"4", "z"}}));
  EXPECT_THAT(read.problems, ElementsAre("3: a quote is opened and never closed | 2,\"never closed"));
  EXPECT_THAT(read_csv("a,b\n1,\"x").problems, ElementsAre("2: a quote is opened and never closed | 1,\"x"));
  EXPECT_THAT(read_csv("a,b\n1,\"").problems, ElementsAre(HasSubstr("never closed")));
}

TEST(DelimitedTest, TextAfterAClosingQuoteIsRejected) {
  const auto read = read_csv("a,b\n\"1\"x,2\n3,4\n");
  EXPECT_EQ(read.rows, (Rows{{"3", "4"}}));
  EXPECT_THAT(read.problems, ElementsAre("2: text after a closing quote | \"1\"x,2"));
}

TEST(DelimitedTest, LinesAreCountedThroughQuotedLineEndsAndEmptyLines) {
  EXPECT_THAT(read_csv("a,b\n\"x\ny\",2\n\nbad\n").problems, ElementsAre("5: expected 2 fields, got 1 | bad"));
}

TEST(DelimitedTest, WhatIsNoUtf8OrHoldsZeroBytesIsRejected) {
  using namespace std::string_literals;
  const auto read = read_csv("a,b\n1,\xff\n2,\0x\n3,é\n"s);
  EXPECT_EQ(read.rows, (Rows{{"3", "é"}}));
  EXPECT_THAT(read.problems, ElementsAre(HasSubstr("latin-1"), HasSubstr("zero byte")));
}

TEST(DelimitedTest, RecordsLongerThanTheWindowAreRead) {
  const std::string field(3'000'000, 'x');
  const auto read = read_csv("a,b\n1,\"" + field + "\"\"\"\n2,y\n");
  EXPECT_EQ(read.rows, (Rows{{"1", field + "\""}, {"2", "y"}}));
}

TEST(DelimitedTest, HeadersThatCannotBeColumnsAreRefused) {
  const auto message = [](const std::string& text) { return message_of<InvalidInput>([&] { read_csv(text); }); };
  EXPECT_THAT(message(""), HasSubstr("empty"));
  EXPECT_THAT(message("\n\n"), HasSubstr("empty"));
  EXPECT_THAT(message("a,a\n"), HasSubstr("two columns"));
  EXPECT_THAT(message(std::string("\x7f"
                                  "ELF\x02\x01\0\0\n",
                                  9)),
              HasSubstr("text file"));
  EXPECT_THAT(message("a,\xfe\n"), HasSubstr("UTF-8"));
  EXPECT_THAT(message(std::string(20 << 20, 'x')), HasSubstr("longer than 16 MiB"));
  EXPECT_THAT(read_csv(" a ,,c\n").columns, ElementsAre("a", "column_2", "c"));
}

TEST(DelimitedTest, RecboleHeadersCarryTypes) {
  TempDir dir;
  FileFormat format;
  format.kind = FileFormat::Kind::kRecbole;
  const auto path =
      dir.write("a.inter", "user_id:token\trating:float\ttimestamp:float\ttags:token_seq\n1\t4\t9e8\t\"a b\n");
  const auto read = read_all(path, format);
  EXPECT_EQ(read.rows, (Rows{{"1", "4", "9e8", "\"a b"}}));
  const auto types = open_records(path, format)->types();
  EXPECT_EQ(types.at("user_id"), ColumnType::kText);
  EXPECT_EQ(types.at("rating"), ColumnType::kReal);
  EXPECT_EQ(types.at("timestamp"), ColumnType::kTime);
  EXPECT_THROW(read_all(dir.write("b.inter", "user_id\trating\n1\t2\n"), format), InvalidInput);
}

TEST(DelimitedTest, RandomRowsAreReadBackAsTheyWereWritten) {
  EXPECT_TRUE(rc::check("written and read back", [] {
    const std::string separator = *rc::gen::element<std::string>(",", ";", "\t", "::", "|");
    const auto width = *rc::gen::inRange<size_t>(1, 5);
    // Fields of the characters that matter, and some that do not.
    const auto field =
        rc::gen::container<std::string>(rc::gen::element('a', 'b', ',', ';', '"', '\n', '\r', '\t', ':', ' ', '|'));
    const auto rows = *rc::gen::container<Rows>(rc::gen::container<std::vector<std::string>>(width, field));
    const std::string line_end = *rc::gen::element<std::string>("\n", "\r\n");
    std::string text;
    for (size_t c = 0; c < width; ++c) text += (c ? separator : "") + "c" + std::to_string(c);
    for (const auto& row : rows) {
      text += line_end;
      for (size_t c = 0; c < width; ++c) {
        std::string quoted = "\"";
        for (const char x : row[c]) quoted += x == '"' ? std::string("\"\"") : std::string(1, x);
        const bool plain = !row[c].empty() && row[c].find_first_of("\"\n\r") == std::string::npos &&
                           row[c].find(separator) == std::string::npos &&
                           separator.find(row[c].back()) == std::string::npos;
        text += (c ? separator : "") + (plain ? row[c] : quoted + "\"");
      }
    }
    if (*rc::gen::arbitrary<bool>()) text += line_end;
    const auto read = read_csv(text, separated(separator));
    RC_ASSERT(read.problems.empty());
    RC_ASSERT(read.rows == rows);
  }));
}

}  // namespace
}  // namespace fewshop
