#include "evaluate/csv_writer.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/error.h"
#include "table/record.h"

namespace fewshop {
namespace {

namespace fs = std::filesystem;

std::string test_file(const std::string& name) { return testing::TempDir() + "csv_writer_" + name; }

TEST(CsvWriterTest, FieldsAreQuotedWhereTheyHaveToBe) {
  EXPECT_EQ(csv_field("plain"), "plain");
  EXPECT_EQ(csv_field("a,b"), "\"a,b\"");
  EXPECT_EQ(csv_field("say \"x\""), "\"say \"\"x\"\"\"");
  EXPECT_EQ(csv_field("two\nlines"), "\"two\nlines\"");
}

TEST(CsvWriterTest, OurReaderReadsWhatWasWritten) {
  const std::string path = test_file("round_trip.csv");
  fs::remove(path);
  const std::vector<std::string> fields{"a,b", "q\"q", "line\nline", "\xf0\x9f\x9b\x92"};
  {
    CsvWriter csv(path, {"w", "x", "y", "z"});
    csv.write(fields);
    EXPECT_FALSE(fs::exists(path)) << "the file appears when it is complete";
    csv.close();
  }
  const auto reader = open_records(path, {});
  Record record;
  ASSERT_TRUE(reader->next(record));
  EXPECT_EQ(record.problem, "");
  EXPECT_EQ(std::vector<std::string>(record.fields.begin(), record.fields.end()), fields);
  EXPECT_FALSE(reader->next(record));
}

TEST(CsvWriterTest, AnUnfinishedFileIsRemoved) {
  const std::string path = test_file("unfinished.csv");
  { CsvWriter csv(path, {"a"}); }
  EXPECT_FALSE(fs::exists(path));
  EXPECT_FALSE(fs::exists(path + ".partial"));
}

TEST(CsvWriterTest, FolderThatIsNotThereIsAFailure) { EXPECT_THROW(CsvWriter("/nonexistent/a.csv", {"a"}), Failure); }

}  // namespace
}  // namespace fewshop
