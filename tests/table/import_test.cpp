#include "table/import.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "core/cancel.h"
#include "core/error.h"
#include "support/temp_dir.h"
#include "table/records.h"

namespace fewshop {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::message_of;
using testing::read_whole;
using testing::Rows;
using testing::TempDir;

/// A shop in a folder of its own.
class ImportTest : public ::testing::Test {
 protected:
  ImportReport import_files(const std::vector<std::string>& files, const std::string& table = "",
                            const std::string& types = "") {
    auto store = open_store(dir_ / "shop.db", Store::Access::kWrite);
    return import_recipe(guess_recipe(files, table, parse_types(types)), "", *store);
  }

  ImportReport import_text(const std::string& recipe) {
    const auto file = dir_.write("recipe.toml", recipe);
    auto store = open_store(dir_ / "shop.db", Store::Access::kWrite);
    return import_recipe(read_recipe(file), dir_.path().string(), *store);
  }

  Rows rows(const std::string& sql) {
    auto store = open_store(dir_ / "shop.db", Store::Access::kRead);
    auto cursor = store->query(sql);
    Rows all;
    while (cursor->next()) {
      auto& row = all.emplace_back();
      for (size_t c = 0; c < cursor->columns().size(); ++c) row.push_back(cursor->at(static_cast<int>(c)).to_text());
    }
    return all;
  }

  std::vector<std::string> types(const std::string& table) {
    std::vector<std::string> names;
    for (const auto& column : open_store(dir_ / "shop.db", Store::Access::kRead)->describe(table).columns)
      names.push_back(type_name(column.type));
    return names;
  }

  TempDir dir_;
};

TEST_F(ImportTest, HeadedFileBecomesATypedTable) {
  const auto report = import_files({dir_.write(
      "sales.csv", "user_id,zip,n,price,at,paid\n1,02460,3,1.5,2011-01-01,yes\n2,10115,4,2,2011-01-02,no\n,,,,,\n")});
  ASSERT_EQ(report.tables.size(), 1);
  EXPECT_EQ(report.tables[0].name, "sales");
  EXPECT_EQ(report.tables[0].rows, 3);
  EXPECT_THAT(types("sales"), ElementsAre("text", "text", "integer", "real", "time", "boolean"));
  EXPECT_EQ(rows("select * from sales limit 1"), (Rows{{"1", "02460", "3", "1.5", "1293840000000000", "1"}}));
  EXPECT_EQ(rows("select count(*) from sales where user_id is null and price is null"), (Rows{{"1"}}));
  EXPECT_EQ(
      report.to_json().dump(),
      R"({"sources":[],"tables":[{"dropped":{},"name":"sales","records":3,"reject_file":null,"rejected":0,"rows":3}]})");
}

TEST_F(ImportTest, GivenTypesWinAndUnknownOnesAreRefused) {
  const auto file = dir_.write("a.csv", "code,day\n1,02/01/2011\n");
  import_files({file}, "t", "code=text,day=time:%d/%m/%Y");
  EXPECT_THAT(types("t"), ElementsAre("text", "time"));
  EXPECT_THAT(message_of<InvalidInput>([&] { import_files({file}, "t", "nope=text"); }), HasSubstr("code, day"));
}

TEST_F(ImportTest, OddIdsSurvive) {
  const std::string id = "O'Neil \"x\", \n\xf0\x9f\x98\x80;--" + std::string(10'000, 'y');
  std::string quoted = "\"";
  for (const char c : id) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  import_files({dir_.write("a.csv", "user_id,n\n" + quoted + "\",1\n")});
  EXPECT_EQ(rows("select user_id from a"), (Rows{{id}}));
}

TEST_F(ImportTest, RowsThatDoNotFitAreCountedAndWrittenOut) {
  std::string text = "user_id,rating,day\n";
  for (int i = 0; i < 1000; ++i) text += "u" + std::to_string(i) + ",3.5,2011-01-01\n";
  text +=
      "a,1e999,2011-01-01\nb,nan,2011-01-01\nc,--,2011-01-01\nd,1,2011-02-30\ne,1\nf,1,2,3\n\xff,1,2011-01-01\ng\t,\"1";
  const auto report = import_files({dir_.write("votes.csv", text)});
  const auto& table = report.tables[0];
  EXPECT_EQ(table.rows, 1000);
  EXPECT_EQ(table.rejected, 8);
  EXPECT_EQ(table.records, 1008);
  EXPECT_EQ(table.reject_file, dir_ / "shop.db.votes.rejects.tsv");
  const std::string rejects = read_whole(table.reject_file);
  EXPECT_THAT(rejects, ::testing::StartsWith("file\tline\treason\traw\n"));
  EXPECT_THAT(rejects, HasSubstr("\t1002\tcolumn rating: '1e999' is no real\ta,1e999,2011-01-01\n"));
  EXPECT_THAT(rejects, HasSubstr("\t1005\tcolumn day: '2011-02-30' is no time\t"));
  EXPECT_THAT(rejects, HasSubstr("\t1006\texpected 3 fields, got 2\te,1\n"));
  EXPECT_THAT(rejects, HasSubstr("\t1009\ta quote is opened and never closed\tg\\t,\"1\n"));
  EXPECT_EQ(std::count(rejects.begin(), rejects.end(), '\n'), 9);
  // The next import without rejects takes the file away.
  import_files({dir_.write("votes.csv", "user_id\n1\n")});
  EXPECT_FALSE(std::filesystem::exists(table.reject_file));
}

TEST_F(ImportTest, TooManyRejectsFailAndChangeNothing) {
  import_files({dir_.write("t.csv", "n\n1\n2\n")});
  std::string text = "n\n";
  for (int i = 0; i < 200; ++i) text += i % 15 == 0 ? "x\n" : "5\n";  // 14 of 200: 7 %
  const auto file = dir_.write("bad.csv", text);
  EXPECT_THAT(message_of<InvalidInput>([&] { import_files({file}, "t", "n=integer"); }),
              AllOf(HasSubstr("table t: 14 of 200 records do not fit"), HasSubstr("nothing was imported"),
                    HasSubstr("bad.csv:2: column n: 'x' is no integer"), HasSubstr("shop.db.t.rejects.tsv")));
  EXPECT_EQ(rows("select count(*) from t"), (Rows{{"2"}}));
  EXPECT_TRUE(std::filesystem::exists(dir_ / "shop.db.t.rejects.tsv"));
}

TEST_F(ImportTest, TenRejectsAreBorneWhateverTheirShare) {
  std::string text = "n\n1\n";
  for (int i = 0; i < 10; ++i) text += "x\n";
  EXPECT_EQ(import_files({dir_.write("a.csv", text)}, "t", "n=integer").tables[0].rejected, 10);
  EXPECT_THROW(import_files({dir_.write("a.csv", text + "x\n")}, "t", "n=integer"), InvalidInput);
}

TEST_F(ImportTest, HopelessFilesAreNotReadToTheirEnd) {
  std::string text = "a,b\n";
  for (int i = 0; i < 100'000; ++i) text += "garbage\n";
  const auto message = message_of<InvalidInput>([&] { import_files({dir_.write("a.csv", text)}); });
  EXPECT_THAT(message, HasSubstr("1000 of 1000 records"));
}

TEST_F(ImportTest, EmptyTableIsATable) {
  EXPECT_EQ(import_files({dir_.write("a.csv", "user_id,n\n")}).tables[0].rows, 0);
  EXPECT_EQ(rows("select * from a"), Rows{});
}

TEST_F(ImportTest, FailureInALaterTableLeavesTheEarlierOnes) {
  import_files({dir_.write("a.csv", "x\n1\n")});
  EXPECT_THROW(import_files({dir_.write("a.csv", "x\n2\n"), dir_.write("b.csv", "x,x\n")}), InvalidInput);
  EXPECT_EQ(rows("select x from a"), (Rows{{"1"}}));
}

TEST_F(ImportTest, NewDatabaseOfAFailedImportIsRemoved) {
  std::string text = "n\n";
  for (int i = 0; i < 100; ++i) text += "x\n";
  EXPECT_THROW(import_files({dir_.write("bad.csv", text)}, "t", "n=integer"), InvalidInput);
  EXPECT_FALSE(std::filesystem::exists(dir_ / "shop.db"));
}

TEST_F(ImportTest, FilesBecomeOneTableWithTheirConstants) {
  dir_.write("audi.csv", "model,price\nA1,100\n");
  dir_.write("bmw.csv", "price,model,tax\n200,X5,9\n");
  import_text(R"(
[[table]]
name  = "cars"
files = [{ file = "audi.csv", constant = { make = "audi" } }, { file = "bmw.csv", constant = { make = "bmw" } }]
types = { price = "integer" }
)");
  EXPECT_EQ(rows("select * from cars"), (Rows{{"A1", "100", "", "audi"}, {"X5", "200", "9", "bmw"}}));
}

TEST_F(ImportTest, PatternsTakeAllFilesInOrder) {
  dir_.write("part-2.csv", "n\n2\n");
  dir_.write("part-1.csv", "n\n1\n");
  dir_.write("other.csv", "n\n9\n");
  import_text("[[table]]\nname = \"t\"\nfiles = \"part-*.csv\"\n");
  EXPECT_EQ(rows("select n from t"), (Rows{{"1"}, {"2"}}));
}

TEST_F(ImportTest, ColumnsAreRenamedKeptUnpivotedAndDropped) {
  dir_.write("a.csv", "Id,mon,tue,note\n1,5,NA,x\n2,-1,7,y\nC3,1,1,z\n");
  const auto report = import_text(R"(
[[table]]
name    = "sales"
files   = "a.csv"
rename  = { Id = "item_id" }
unpivot = { columns = ["mon", "tue"], name = "day", value = "sold" }
missing = ["NA"]
drop    = [{ column = "sold", missing = true, reason = "closed" }, { column = "sold", below = 0, reason = "returned" },
           { column = "item_id", prefix = "C", reason = "returned" }]
keep    = ["day", "item_id", "sold"]
types   = { sold = "integer" }
)");
  EXPECT_EQ(rows("select * from sales"), (Rows{{"mon", "1", "5"}, {"tue", "2", "7"}}));
  EXPECT_THAT(report.tables[0].dropped, ElementsAre(std::pair<std::string, int64_t>("closed", 1),
                                                    std::pair<std::string, int64_t>("returned", 3)));
}

TEST_F(ImportTest, SqlOverScratchTablesMakesTables) {
  dir_.write("a.csv", "item_id,price\nx,5\nx,7\ny,1\n");
  const auto report = import_text(R"(
[[table]]
name = "lines"
files = "a.csv"
scratch = true
types = { price = "real" }
[[table]]
name = "items"
sql = "select item_id, max(price) as price, 0 as hidden from lines group by item_id"
types = { hidden = "boolean" }
index = ["item_id"]
)");
  EXPECT_EQ(rows("select * from items"), (Rows{{"x", "7", "0"}, {"y", "1", "0"}}));
  EXPECT_THAT(types("items"), ElementsAre("text", "real", "boolean"));
  EXPECT_THAT(open_store(dir_ / "shop.db", Store::Access::kRead)->tables(), ElementsAre("items"));
  EXPECT_EQ(report.to_json()["sources"][0]["name"], "lines");
}

TEST_F(ImportTest, SqlOfARecipeCannotWrite) {
  import_files({dir_.write("a.csv", "x\n1\n")});
  EXPECT_THAT(message_of<InvalidInput>([&] { import_text("[[table]]\nname = \"b\"\nsql = \"delete from a\"\n"); }),
              AllOf(HasSubstr("table b"), HasSubstr("only a query")));
  EXPECT_EQ(rows("select count(*) from a"), (Rows{{"1"}}));
}

TEST_F(ImportTest, MissingFilesOfARecipeAreNamedUnlessOptional) {
  EXPECT_THAT(message_of<InvalidInput>([&] { import_text("[[table]]\nname = \"t\"\nfiles = \"gone.csv\"\n"); }),
              AllOf(HasSubstr("gone.csv"), HasSubstr("--from")));
  dir_.write("a.csv", "x\n1\n");
  const auto report = import_text(
      "[[table]]\nname = \"t\"\nfiles = \"gone.csv\"\noptional = true\n[[table]]\nname = \"a\"\nfiles = \"a.csv\"\n");
  EXPECT_EQ(report.tables.size(), 1);
}

TEST_F(ImportTest, RecipesThatNameUnknownColumnsAreRefused) {
  dir_.write("a.csv", "x,y\n1,2\n");
  const std::string table = "[[table]]\nname = \"t\"\nfiles = \"a.csv\"\n";
  for (const char* key :
       {"keep = [\"z\"]", "types = { z = \"real\" }", "drop = [{ column = \"z\", missing = true, reason = \"r\" }]",
        "index = [\"z\"]", "unpivot = { columns = [\"z\"], name = \"n\", value = \"v\" }"})
    EXPECT_THAT(message_of<InvalidInput>([&] { import_text(table + key + "\n"); }), HasSubstr("z")) << key;
}

TEST_F(ImportTest, CtrlCLeavesEverythingAsItWas) {
  import_files({dir_.write("t.csv", "n\n1\n")});
  std::string text = "n\n";
  for (int i = 0; i < 5000; ++i) text += "5\n";
  const auto file = dir_.write("t.csv", text);
  set_cancelled(true);
  EXPECT_THROW(import_files({file}), Interrupted);
  set_cancelled(false);
  EXPECT_EQ(rows("select count(*) from t"), (Rows{{"1"}}));
  std::vector<std::string> left;
  for (const auto& entry : std::filesystem::directory_iterator(dir_.path())) left.push_back(entry.path().filename());
  EXPECT_THAT(left, ::testing::UnorderedElementsAre("shop.db", "t.csv"));
}

TEST_F(ImportTest, KilledImportLeavesTheOldTableAndCanBeRepeated) {
  import_files({dir_.write("t.csv", "n\n1\n")});
  std::string text = "n\n";
  for (int i = 0; i < 1'000'000; ++i) text += "number " + std::to_string(i) + "\n";
  const auto file = dir_.write("t.csv", text);
  const pid_t child = fork();
  if (child == 0) {
    import_files({file});
    _exit(0);
  }
  // Killed as soon as rows are on their way to the disk, long before the last one.
  const auto log_size = [&] {
    std::error_code error;
    const auto size = std::filesystem::file_size(dir_ / "shop.db-wal", error);
    return error ? 0 : size;
  };
  int status = 0;
  while (log_size() < 1 << 20 && waitpid(child, &status, WNOHANG) == 0) usleep(500);
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status)) << "the import was over before it could be killed";
  EXPECT_EQ(rows("select count(*) from t"), (Rows{{"1"}}));
  import_files({dir_.write("t.csv", "n\n1\n2\n")});
  EXPECT_EQ(rows("select count(*) from t"), (Rows{{"2"}}));
}

}  // namespace
}  // namespace fewshop
