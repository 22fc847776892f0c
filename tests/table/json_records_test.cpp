#include "core/error.h"
#include "support/temp_dir.h"
#include "table/records.h"

namespace fewshop {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::message_of;
using testing::read_all;
using testing::Rows;
using testing::TempDir;

testing::Read read_json(const std::string& text, FileFormat format, FileFormat::Kind kind) {
  TempDir dir;
  format.kind = kind;
  return read_all(dir.write("a.json", text), format);
}

testing::Read read_lines(const std::string& text, const FileFormat& format = {}) {
  return read_json(text, format, FileFormat::Kind::kJsonLines);
}

TEST(JsonLinesTest, KeysAreColumnsInTheOrderOfTheirFirstUse) {
  const auto read = read_lines("{\"b\": 1, \"a\": \"x\\ny\"}\n\n{\"a\": null, \"c\": [1, \"two\", true]}\r\n");
  EXPECT_THAT(read.columns, ElementsAre("b", "a", "c"));
  EXPECT_EQ(read.rows, (Rows{{"1", "x\ny", ""}, {"", "", "1|two|true"}}));
}

TEST(JsonLinesTest, NamedColumnsReachIntoObjects) {
  FileFormat format;
  format.columns = {"user.id", "x.y", "big", "n"};
  const auto read = read_lines(
      "{\"user\": {\"id\": 7}, \"x.y\": \"dotted\", \"big\": 18446744073709551615, \"n\": 5.0}\n"
      "{\"user\": 3, \"n\": {\"k\": [1]}}\n",
      format);
  EXPECT_EQ(read.rows, (Rows{{"7", "dotted", "18446744073709551615", "5"}, {"", "", "", "{\"k\":[1]}"}}));
}

TEST(JsonLinesTest, LinesThatAreNoJsonAreRejected) {
  const auto read = read_lines(
      "{\"a\": 1, \"b\": 2}\n{\"a\": \nnot\n{\"a\": 1e999}\n5\n{\"a\": \"\xff\"}\n{\"a\": \"\\u0000\"}\n{\"a\": 2}\n");
  EXPECT_THAT(read.problems.size(), 6);
  EXPECT_THAT(read.problems[0], HasSubstr("2: not JSON"));
}

TEST(JsonLinesTest, DeepNestingIsRejectedNotRecursedInto) {
  const std::string deep = "{\"a\": " + std::string(100'000, '[') + std::string(100'000, ']') + "}\n";
  FileFormat format;
  format.columns = {"a"};
  const auto read = read_lines(deep + "{\"a\": 1}\n", format);
  EXPECT_EQ(read.rows, (Rows{{"1"}}));
  EXPECT_EQ(read.problems.size(), 1);
}

TEST(JsonTest, RecordsLieAtThePath) {
  FileFormat format;
  format.path = "data.rows";
  EXPECT_EQ(read_json(R"({"data": {"rows": [{"a": 1}, {"a": 2, "b": true}]}})", format, FileFormat::Kind::kJson).rows,
            (Rows{{"1", ""}, {"2", "true"}}));
  format.path = "";
  format.columns = {"text", "intent"};
  const auto read = read_json(R"([["hi", "greet"], ["x"], 5])", format, FileFormat::Kind::kJson);
  EXPECT_EQ(read.rows, (Rows{{"hi", "greet"}}));
  EXPECT_THAT(read.problems, ElementsAre("2: expected 2 values, got 1 | [\"x\"]", HasSubstr("3: ")));
}

TEST(JsonTest, MembersOfAnObjectAreRecordsWithTheirName) {
  FileFormat format;
  format.key = "item_id";
  format.columns = {"attributes"};
  EXPECT_EQ(read_json(R"({"1": [5, 6], "2": []})", format, FileFormat::Kind::kJson).rows,
            (Rows{{"1", "5|6"}, {"2", ""}}));
}

TEST(JsonTest, DocumentsThatDoNotHoldRecordsAreRefused) {
  const auto message = [](const std::string& text, FileFormat format = {}) {
    return message_of<InvalidInput>([&] { read_json(text, format, FileFormat::Kind::kJson); });
  };
  FileFormat path;
  path.path = "a.b";
  EXPECT_THAT(message("{"), HasSubstr("not JSON"));
  EXPECT_THAT(message("{}"), HasSubstr("expected a list"));
  EXPECT_THAT(message("{\"a\": 1}", path), HasSubstr("nothing at path 'a.b'"));
  EXPECT_THAT(message("[1, 2]"), HasSubstr("name their columns"));
  EXPECT_THAT(message_of<InvalidInput>([&] { read_lines("5\n"); }), HasSubstr("no JSON object"));
}

}  // namespace
}  // namespace fewshop
