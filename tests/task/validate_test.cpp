#include "task/validate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "task/database.h"
#include "task/warnings.h"

namespace fewshop {
namespace {

using ::testing::AllOf;
using testing::Cells;
using ::testing::Contains;
using testing::Database;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr const char* kRows = "[rows]\ntable = 'rows'\ntask = 'user'\nitem = 'item'\n";

const std::vector<TableColumn> kColumns = {
    {"user", ColumnType::kText}, {"item", ColumnType::kText}, {"rating", ColumnType::kReal}, {"at", ColumnType::kTime}};

/// Users with 12 rows each, ratings 1 to 5, one row a day from 2011 on.
std::vector<Cells> rows_of(int users) {
  std::vector<Cells> rows;
  Random random(1);
  for (int u = 0; u < users; ++u)
    for (int i = 0; i < 12; ++i)
      rows.push_back({"u" + std::to_string(u), "i" + std::to_string((u + 3 * i) % 100),
                      std::to_string(random.between(1, 5)), std::to_string(1293840000000000 + (u * 12 + i) * kDay)});
  return rows;
}

std::vector<std::string> codes(const Database& db, const std::string& toml) {
  std::vector<std::string> codes;
  for (const auto& warning : data_warnings(load_problem(parse_scenario(toml, "shop.toml"), db.path())))
    codes.push_back(warning.code);
  return codes;
}

const std::string kRating =
    std::string(kRows) + "target = 'rating'\ntime = 'at'\n[episode]\nquery = 2\nshots = [0, 1, 3]\n";

TEST(WarningsTest, SoundDataHasNone) {
  const Database db;
  db.write("rows", kColumns, rows_of(400));
  EXPECT_THAT(codes(db, kRating), IsEmpty());
}

TEST(WarningsTest, TooFewTasksClaimNothing) {
  const Database db;
  db.write("rows", kColumns, rows_of(50));
  EXPECT_THAT(codes(db, kRating), Contains("few-test-tasks"));
  db.write("rows", kColumns, rows_of(1));
  EXPECT_THAT(codes(db, kRating),
              AllOf(Contains("one-task"), Contains("no-test-tasks"), Contains("no-validation-tasks")));
}

TEST(WarningsTest, EqualTargetsDuplicatesAndDisorderAreSeen) {
  const Database db;
  auto rows = rows_of(400);
  for (auto& row : rows) row[2] = "3";
  std::swap(rows[0], rows[5]);
  rows.push_back(rows.back());
  db.write("rows", kColumns, rows);
  EXPECT_THAT(codes(db, kRating),
              AllOf(Contains("equal-targets"), Contains("duplicate-rows"), Contains("time-backwards")));
}

TEST(WarningsTest, SecondsTakenForMicrosecondsAreSeen) {
  const Database db;
  auto rows = rows_of(400);
  for (auto& row : rows) row[3] = std::to_string(std::stoll(*row[3]) / kSecond);
  db.write("rows", kColumns, rows);
  EXPECT_THAT(codes(db, kRating), Contains("time-units"));
}

TEST(WarningsTest, FeaturesThatKnowTheTargetAreSeen) {
  const Database db;
  auto rows = rows_of(400);
  std::vector<Cells> items;
  std::vector<int> count(100);
  for (auto& row : rows) {
    const int item = std::stoi(row[1]->substr(1));
    row[2] = std::to_string(1 + item % 5);
    ++count[item];
  }
  for (int i = 0; i < 100; ++i)
    items.push_back({"i" + std::to_string(i), std::to_string(2 * (i % 5)), "k" + std::to_string(i % 5), "same",
                     std::to_string(i * 7 % 13), std::to_string(i * 31 % 100)});
  db.write("rows", kColumns, rows);
  db.write("items",
           {{"item", ColumnType::kText},
            {"a", ColumnType::kReal},
            {"b", ColumnType::kText},
            {"c", ColumnType::kText},
            {"d", ColumnType::kReal},
            {"purchase_count", ColumnType::kReal}},
           items);
  std::vector<std::string> messages;
  for (const auto& warning :
       data_warnings(load_problem(parse_scenario(kRating + "[items]\ntable = 'items'\n", "shop.toml"), db.path())))
    messages.push_back(warning.code + " " + warning.message);
  EXPECT_THAT(messages, Contains(HasSubstr("leak-target items.a alone explains 100 %")));
  EXPECT_THAT(messages, Contains(HasSubstr("leak-target items.b alone explains 100 %")));
  EXPECT_THAT(messages, Contains(HasSubstr("constant-feature items.c")));
  EXPECT_THAT(messages, Contains(HasSubstr("leak-name items.purchase_count")));
  EXPECT_THAT(messages, Not(Contains(HasSubstr("items.d"))));
}

TEST(WarningsTest, AFeatureThatFollowsPopularityIsSeen) {
  const Database db;
  std::vector<Cells> rows, items;
  for (int u = 0; u < 300; ++u)
    for (int i = 0; i < 60; ++i)
      if (u % (i + 1) == 0)
        rows.push_back({"u" + std::to_string(u), "i" + std::to_string(i), "1", std::to_string(1293840000000000 + u)});
  for (int i = 0; i < 60; ++i) items.push_back({"i" + std::to_string(i), std::to_string(300 / (i + 1))});
  db.write("rows", kColumns, rows);
  db.write("items", {{"item", ColumnType::kText}, {"x", ColumnType::kReal}}, items);
  EXPECT_THAT(codes(db, std::string(kRows) + "[items]\ntable = 'items'\n"), Contains("leak-target"));
}

/// The messages of a warning's code, for a ranking problem with items and users of its own.
std::vector<std::string> leaks_of_ranking(const Database& db, const std::string& rows) {
  std::vector<std::string> messages;
  const std::string toml = rows + "[items]\ntable = 'items'\n[tasks]\ntable = 'users'\n";
  for (const auto& warning : data_warnings(load_problem(parse_scenario(toml, "shop.toml"), db.path())))
    if (warning.code == "leak-target") messages.push_back(warning.message);
  return messages;
}

TEST(WarningsTest, ColumnsOfARankingThatKnowWhatIsToComeAreSeen) {
  const Database db;
  auto rows = rows_of(400);
  std::map<std::string, int64_t> last;
  for (auto& row : rows) {
    last[*row[0]] = std::stoll(*row[3]);
    last[*row[1]] = std::stoll(*row[3]);
  }
  // Items of a higher class occur more often.
  for (int i = 0; i < 100; ++i)
    for (int more = 0; more < i / 20 * 100; ++more)
      rows.push_back({"u" + std::to_string(more % 400), "i" + std::to_string(i), "3", "1293840000000000"});
  std::vector<Cells> items, users;
  for (int i = 0; i < 100; ++i) {
    const std::string id = "i" + std::to_string(i);
    items.push_back({id, "class" + std::to_string(i / 20), "colour" + std::to_string(i % 5), std::to_string(last[id]),
                     std::to_string(1293840000000000 - i % 7 * kDay)});
  }
  for (int u = 0; u < 400; ++u) {
    const std::string id = "u" + std::to_string(u);
    users.push_back({id, "i" + std::to_string((u + 33) % 100), "i" + std::to_string(u % 7), std::to_string(last[id])});
  }
  db.write("rows", kColumns, rows);
  db.write("items",
           {{"item", ColumnType::kText},
            {"class", ColumnType::kText},
            {"colour", ColumnType::kText},
            {"last_seen", ColumnType::kTime},
            {"released", ColumnType::kTime}},
           items);
  db.write("users",
           {{"user", ColumnType::kText},
            {"last_item", ColumnType::kText},
            {"shop", ColumnType::kText},
            {"left", ColumnType::kTime}},
           users);
  const auto messages = leaks_of_ranking(db, std::string(kRows) + "time = 'at'\n");
  EXPECT_THAT(messages, Contains(HasSubstr("items.class follows how often its item occurs")));
  EXPECT_THAT(messages, Contains(HasSubstr("tasks.last_item names an item of the task's own rows")));
  EXPECT_THAT(messages, Contains(HasSubstr("items.last_seen is the time of the last row of its item")));
  for (const char* sound : {"items.colour", "items.released", "tasks.shop"})
    EXPECT_THAT(messages, Not(Contains(HasSubstr(sound))));
}

TEST(WarningsTest, AFeatureThatExplainsTheEvidenceOfARankingIsSeen) {
  const Database db;
  auto rows = rows_of(400);
  std::vector<Cells> items, users;
  for (auto& row : rows) row[2] = std::to_string(1 + std::stoi(row[1]->substr(1)) % 5);
  for (int i = 0; i < 100; ++i) items.push_back({"i" + std::to_string(i), std::to_string(i % 5)});
  for (int u = 0; u < 400; ++u) users.push_back({"u" + std::to_string(u), std::to_string(u % 7)});
  db.write("rows", kColumns, rows);
  db.write("items", {{"item", ColumnType::kText}, {"a", ColumnType::kReal}}, items);
  db.write("users", {{"user", ColumnType::kText}, {"b", ColumnType::kReal}}, users);
  const auto messages =
      leaks_of_ranking(db, "problem = 'ranking'\n" + std::string(kRows) + "target = 'rating'\ntime = 'at'\n");
  EXPECT_THAT(messages, ElementsAre(HasSubstr("items.a alone explains 100 % of the target")));
}

TEST(WarningsTest, TasksOfOneRowAreCounted) {
  const Database db;
  auto rows = rows_of(100);
  for (int u = 0; u < 150; ++u) rows.push_back({"once" + std::to_string(u), "i1", "3", "1293840000000000"});
  db.write("rows", kColumns, rows);
  EXPECT_THAT(codes(db, kRating), Contains("single-row-tasks"));
  rows.resize(rows.size() - 60);
  db.write("rows", kColumns, rows);
  EXPECT_THAT(codes(db, kRating), Not(Contains("single-row-tasks"))) << "90 of 190 are less than half";
}

TEST(WarningsTest, ManyRowsLeftOutAreSeen) {
  const Database db;
  auto rows = rows_of(400);
  for (size_t r = 0; r < rows.size(); r += 25) rows[r][2] = std::nullopt;
  db.write("rows", kColumns, rows);
  EXPECT_THAT(codes(db, kRating), Not(Contains("rows-left-out"))) << "1 in 25 is 4 %";
  for (size_t r = 0; r < rows.size(); r += 15) rows[r][1] = std::nullopt;
  db.write("rows", kColumns, rows);
  EXPECT_THAT(codes(db, kRating), Contains("rows-left-out"));
}

TEST(WarningsTest, ASplitWithoutTrainingTasksIsSeen) {
  const Database db;
  db.write("rows", kColumns, rows_of(400));
  EXPECT_THAT(codes(db, kRating + "[split]\ntime = { valid = '2000-01-01', test = '2000-06-01' }\n"),
              AllOf(Contains("no-training-tasks"), Contains("no-validation-tasks")));
}

TEST(WarningsTest, SupportSizesThatNoTestTaskReachesAreSeen) {
  const Database db;
  db.write("rows", kColumns, rows_of(400));
  EXPECT_THAT(codes(db, std::string(kRows) + "target = 'rating'\n[episode]\nquery = 10\nshots = [1, 5]\n"),
              Contains("empty-shot"));
}

TEST(ValidateTest, SupportIsCountedInGroupsWhereRowsAreTied) {
  const Database db;
  auto rows = rows_of(400);
  // Two rows a basket: 12 rows are 6 baskets, the last of which is asked for.
  for (size_t r = 0; r < rows.size(); ++r) rows[r].push_back("b" + std::to_string(r / 2));
  auto columns = kColumns;
  columns.push_back({"basket", ColumnType::kText});
  db.write("rows", columns, rows);
  const auto report = validate_problem(load_problem(
      parse_scenario(std::string(kRows) + "time = 'at'\n[episode]\nties = 'basket'\nquery = 1\nshots = [1]\n",
                     "shop.toml"),
      db.path()));
  EXPECT_EQ(report["support"], nlohmann::json({{"min", 5}, {"median", 5}, {"max", 5}}));
  EXPECT_THAT(validation_text(report), HasSubstr("5 to 5 groups, median 5"));
}

TEST(ValidateTest, TheReportHasTheKeysOfTheContract) {
  const Database db;
  db.write("rows", kColumns, rows_of(400));
  db.write("users", {{"user", ColumnType::kText}, {"city", ColumnType::kText}}, {{"u0", "x"}, {"u1", "y"}});
  const auto report =
      validate_problem(load_problem(parse_scenario(kRating + "[tasks]\ntable = 'users'\n", "shop.toml"), db.path()));
  EXPECT_EQ(report["scenario"]["name"], "shop");
  EXPECT_EQ(report["scenario"]["episode"]["support"], nlohmann::json({0, 100}));
  EXPECT_EQ(report["tasks"]["train"], 320);
  EXPECT_EQ(report["tasks"]["valid"], 40);
  EXPECT_EQ(report["tasks"]["test"], 40);
  EXPECT_EQ(report["rows"], 4800);
  EXPECT_EQ(report["support"], nlohmann::json({{"min", 10}, {"median", 10}, {"max", 10}}));
  EXPECT_EQ(report["target"]["values"].size(), 5);
  EXPECT_EQ(report["features"][0]["name"], "tasks.city");
  EXPECT_GE(report["features"][0]["missing"], 398);
  EXPECT_THAT(report["defaults"].dump(), HasSubstr("learner.name: 'bayes'"));
  const std::string text = validation_text(report);
  for (const char* part : {"train 320, valid 40, test 40", "10 to 10 rows", "tasks.city category", "chosen because"})
    EXPECT_THAT(text, HasSubstr(part));
}

}  // namespace
}  // namespace fewshop
