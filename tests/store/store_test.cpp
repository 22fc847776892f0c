#include "store/store.h"

#include <sqlite3.h>

#include <chrono>
#include <thread>

#include "core/cancel.h"
#include "core/error.h"
#include "store/rating_store.h"
#include "support/temp_dir.h"

namespace fewshop {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace testing;

/// What a raw connection of another program would do.
void other_program(const std::string& path, const std::string& sql) {
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &db), SQLITE_OK);
  char* message = nullptr;
  EXPECT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, &message), SQLITE_OK) << message;
  sqlite3_close(db);
}

TEST(StoreTest, WhatIsWrittenIsReadBackInOrderWithItsTypes) {
  using namespace std::string_view_literals;
  constexpr auto kOdd = "quote\" comma, newline\n null\0 \xf0\x9f\x98\x80"sv;
  TempDir dir;
  {
    auto store = open_store(dir / "shop.db", Store::Access::kWrite);
    Transaction transaction(*store);
    auto writer = store->write("t", {{"id", ColumnType::kText},
                                     {"n", ColumnType::kInteger},
                                     {"x", ColumnType::kReal},
                                     {"at", ColumnType::kTime},
                                     {"yes", ColumnType::kBoolean}});

    writer->add(std::vector<Value>{Value::of(kOdd), Value::of(int64_t{-5}), Value::of(int64_t{2}),
                                   Value::of(int64_t{1700000000000000}), Value::of(int64_t{1})});
    writer->add(std::vector<Value>{Value::of(std::string_view("007")), Value::null(), Value::of(-0.0), Value::null(),
                                   Value::of(int64_t{0})});
    writer->finish({{"id"}});
    transaction.commit();
  }
  auto store = open_store(dir / "shop.db", Store::Access::kRead);
  EXPECT_THAT(store->tables(), ElementsAre("t"));
  auto cursor = store->read("t");
  EXPECT_EQ(cursor->columns()[3], (TableColumn{"at", ColumnType::kTime}));
  EXPECT_EQ(cursor->columns()[4], (TableColumn{"yes", ColumnType::kBoolean}));
  ASSERT_TRUE(cursor->next());
  EXPECT_EQ(cursor->at(0).text, kOdd);
  EXPECT_EQ(cursor->at(1).integer, -5);
  EXPECT_EQ(cursor->at(2).kind, Value::Kind::kReal);
  EXPECT_EQ(cursor->at(2).real, 2.0);
  ASSERT_TRUE(cursor->next());
  EXPECT_EQ(cursor->at(0).text, "007");
  EXPECT_TRUE(cursor->at(1).is_null());
  EXPECT_FALSE(cursor->next());
  EXPECT_FALSE(cursor->next());
}

/// The texts of the first column of the rows, joined.
std::string first_column(Cursor& cursor) {
  std::string text;
  while (cursor.next()) text += cursor.at(0).to_text() + " ";
  return text;
}

TEST(StoreTest, RowsWithAValueAreFoundInTheOrderInWhichTheyWereWritten) {
  TempDir dir;
  const std::string path = dir / "shop.db";
  other_program(path,
                "create table t(n integer, id text, x real, any); create index by_id on t(id, n);"
                "insert into t values (3, '7', 0.5, 7), (2, '07', 7, '7'), (1, '7', 7, 7.0), (4, 'A', 0.25, 'a'),"
                "(5, null, null, null);"
                "create table keyed(id text primary key, n integer) without rowid; insert into keyed values ('7', 1);"
                "create view v as select n, id from t");
  const auto store = open_store(path, Store::Access::kRead);
  const auto read = [&](const Equals& equals) { return first_column(*store->read("t", {}, equals)); };
  EXPECT_EQ(read({{"id", "7"}}), "3 1 ") << "as written, not as the index has them";
  EXPECT_EQ(read({{"id", "07"}}), "2 ");
  EXPECT_EQ(read({{"x", "0.5"}}), "3 ");
  EXPECT_EQ(read({{"x", "7"}}), "2 1 ") << "7.0 is written 7";
  EXPECT_EQ(read({{"n", "02"}}), "") << "2 is not 02";
  EXPECT_EQ(read({{"any", "7"}}), "3 2 1 ") << "numbers and texts";
  EXPECT_EQ(read({{"id", "a"}}), "");
  EXPECT_EQ(read({{"id", "7"}, {"x", "7"}}), "1 ");
  EXPECT_EQ(read({{"id", "7' or '1' = '1"}}), "");
  EXPECT_EQ(first_column(*store->read("keyed", {}, {{"id", "7"}})), "7 ");
  EXPECT_EQ(first_column(*store->read("v", {"n", "id"}, {{"id", "07"}})), "2 ");
}

TEST(StoreTest, AStatementIsAskedForSomeOfItsRows) {
  TempDir dir;
  const std::string path = dir / "shop.db";
  other_program(path,
                "create table t(n integer, id text, at time); create index by_id on t(id);"
                "insert into t values (1, 'a', 10), (2, 'b', 20), (3, 'a', 30), (4, 'a', 40)");
  const auto store = open_store(path, Store::Access::kRead);
  const auto query = [&](const std::string& sql) { return first_column(*store->query(sql, {{"id", "a"}})); };
  EXPECT_EQ(query("select n, id from t order by n desc"), "4 3 1 ");
  EXPECT_EQ(query("select n, id from t order by n limit 3;"), "1 3 ") << "of the result, not of the table";
  EXPECT_EQ(query("with x as (select * from t) select n, id from x where n > 1 -- ; not the end"), "3 4 ");
  EXPECT_EQ(query("select n * 2 as m, upper(id) as b, lower(id) as id from t where n <> ?2"), "") << "no value is null";
  EXPECT_EQ(store->query("select n, id, at from t", {{"id", "a"}})->columns()[2],
            (TableColumn{"at", ColumnType::kTime}));
  EXPECT_THAT(message_of<InvalidInput>([&] {
                store->query("select n from t", {{"id", "a"}});
              }),
              HasSubstr("sql: no column 'id'; its columns: n"));
  EXPECT_THAT(message_of<InvalidInput>([&] {
                store->query("delete from t", {{"id", "a"}});
              }),
              HasSubstr("only a query"));
}

TEST(StoreTest, FingerprintWrittenAtImportIsThatOfTheContent) {
  TempDir dir;
  auto store = open_store(dir / "shop.db", Store::Access::kWrite);
  const auto info = write_ratings(*store, 5000);
  EXPECT_EQ(store->describe("ratings").fingerprint, info.fingerprint);
  other_program(dir / "shop.db", "delete from fewshop_tables");  // so that it has to be computed
  EXPECT_EQ(store->describe("ratings").fingerprint, info.fingerprint);
  EXPECT_EQ(store->describe("ratings").rows, 5000);
  EXPECT_NE(write_ratings(*store, 5000, "ratings", 1).fingerprint, info.fingerprint);
  EXPECT_EQ(write_ratings(*store, 5000).fingerprint, info.fingerprint);
}

TEST(StoreTest, FingerprintFollowsChangesOfOtherPrograms) {
  TempDir dir;
  auto store = open_store(dir / "shop.db", Store::Access::kWrite);
  const auto before = write_ratings(*store, 100);
  other_program(dir / "shop.db", "update ratings set rating = 9 where user_id = 'u7'");
  const auto updated = store->describe("ratings");
  EXPECT_NE(updated.fingerprint, before.fingerprint);
  EXPECT_EQ(updated.rows, 100);
  other_program(dir / "shop.db", "insert into ratings values ('new', 1, 1)");
  EXPECT_EQ(store->describe("ratings").rows, 101);
  other_program(dir / "shop.db", "drop table ratings; create table ratings(a text); insert into ratings values ('x')");
  EXPECT_EQ(store->describe("ratings").rows, 1);
}

TEST(StoreTest, QueryFingerprintFollowsTheTablesReadOnly) {
  TempDir dir;
  auto store = open_store(dir / "shop.db", Store::Access::kWrite);
  write_ratings(*store, 10, "a");
  write_ratings(*store, 10, "b");
  const std::string sql = "with x as (select * from a) select count(*) from x";
  const auto before = store->query_fingerprint(sql);
  write_ratings(*store, 11, "b");
  EXPECT_EQ(store->query_fingerprint(sql), before);
  write_ratings(*store, 11, "a");
  EXPECT_NE(store->query_fingerprint(sql), before);
  EXPECT_NE(store->query_fingerprint("select count(*) from a"), store->query_fingerprint("select count(*) from b"));
}

TEST(StoreTest, EventsAreReadUpToARow) {
  const TempDir folder;
  const std::string path = folder / "shop.db";
  const auto whole = open_store(path, Store::Access::kWrite);
  EXPECT_EQ(whole->last_event_row(), -1);
  write_ratings(*whole, 5, "events");
  write_ratings(*whole, 5);
  EXPECT_EQ(whole->last_event_row(), 5);
  const auto some = open_store(path, Store::Access::kRead, {.events_through = 3});
  EXPECT_EQ(count(*some, "events"), 3);
  EXPECT_EQ(count(*some, "ratings"), 5);
  EXPECT_EQ(count(*some, "(select 1 from events join ratings using (user_id) where events.time >= 0)"), 3);
  const auto users = [&](const Equals& equals) {
    std::vector<std::string> users;
    const auto cursor = some->read("events", {"user_id"}, equals);
    EXPECT_EQ(cursor->columns()[0].type, ColumnType::kText);
    while (cursor->next()) users.push_back(cursor->at(0).to_text());
    return users;
  };
  EXPECT_THAT(users({}), ElementsAre("u0", "u1", "u2"));
  EXPECT_THAT(users({{"user_id", "u1"}}), ElementsAre("u1"));
  EXPECT_THAT(users({{"user_id", "u4"}}), ElementsAre());
  EXPECT_THAT(some->tables(), ElementsAre("events", "ratings"));
  // What a query reads of the table is part of its fingerprint.
  const std::string sql = "select * from events", before = some->query_fingerprint(sql);
  EXPECT_EQ(before, some->query_fingerprint(sql));
  other_program(path, "update events set rating = 77 where user_id = 'u0'");
  EXPECT_NE(some->query_fingerprint(sql), before);
}

TEST(StoreTest, ExpressionsGetTheTypeOfTheirValues) {
  TempDir dir;
  auto store = open_store(dir / "shop.db", Store::Access::kWrite);
  write_ratings(*store, 3);
  auto cursor = store->query(
      "select time, case when time > 0 then rating / 2 end as half, time + 1 as next, user_id || '!' as name, null as "
      "empty from ratings order by time");
  EXPECT_THAT(cursor->columns(),
              ElementsAre(TableColumn{"time", ColumnType::kTime}, TableColumn{"half", ColumnType::kReal},
                          TableColumn{"next", ColumnType::kInteger}, TableColumn{"name", ColumnType::kText},
                          TableColumn{"empty", ColumnType::kText}));
  std::vector<std::string> rows;
  while (cursor->next()) rows.push_back(cursor->at(3).to_text() + cursor->at(1).to_text());
  EXPECT_THAT(rows, ElementsAre("u0!", "u1!0.5", "u2!1"));
}

TEST(StoreTest, TablesOfOtherProgramsAreRead) {
  TempDir dir;
  other_program(dir / "other.db",
                "create table t(a bigint, b varchar(20), c double precision, d, e numeric, f boolean);"
                "insert into t values (1, 'x', 0.5, 'free', 2.5, 1); create view v as select a, b from t;"
                "create index covering on t(b, a); insert into t values (0, 'a', 1, 'f', 1, 0)");
  auto store = open_store(dir / "other.db", Store::Access::kRead);
  EXPECT_THAT(store->tables(), ElementsAre("t", "v"));
  const auto info = store->describe("t");
  std::vector<std::string> types;
  for (const auto& column : info.columns) types.push_back(type_name(column.type));
  EXPECT_THAT(types, ElementsAre("integer", "text", "real", "text", "real", "boolean"));
  EXPECT_EQ(info.rows, 2);
  EXPECT_EQ(store->describe("v").rows, 2);
  auto cursor = store->read("t", {"b", "a"});  // the index would give the other order
  ASSERT_TRUE(cursor->next());
  EXPECT_EQ(cursor->at(0).text, "x");
}

TEST(StoreTest, UsersSqlCannotWriteOrLeaveTheDatabase) {
  TempDir dir;
  {
    auto store = open_store(dir / "shop.db", Store::Access::kWrite);
    write_ratings(*store, 3);
  }
  for (const auto access : {Store::Access::kRead, Store::Access::kWrite}) {
    auto store = open_store(dir / "shop.db", access);
    for (const std::string sql : {"delete from ratings",
                                  "insert into ratings values ('a', 1, 2)",
                                  "update ratings set rating = 0",
                                  "update sqlite_master set sql = ''",
                                  "drop table ratings",
                                  "create table x(a)",
                                  "create temp table x(a)",
                                  "attach 'other.db' as o",
                                  "pragma table_info(ratings)",
                                  "pragma journal_mode = delete",
                                  "select load_extension('x')",
                                  "begin",
                                  "vacuum into 'copy.db'",
                                  "vacuum",
                                  "reindex",
                                  "analyze",
                                  "select 1; delete from ratings",
                                  "select 1; select 2",
                                  "explain delete from ratings",
                                  "with x as (select 1) insert into ratings select 'a', 1, 2",
                                  "",
                                  "  -- nothing",
                                  "select",
                                  "select nothing from ratings",
                                  "select * from missing"})
      EXPECT_THROW(store->query(sql), InvalidInput) << sql;
    EXPECT_THROW(store->query(std::string("select 1\0 ; delete", 18)), InvalidInput);
    for (const std::string sql :
         {"select * from ratings;", "select 1 -- comment", "select 1; /* one */ -- two",
          "with recursive n(i) as (select 1 "
          "union all select i + 1 from n where i < 3) select i from n",
          "select rank() over (order by rating) from ratings", "select json_extract('{\"a\": 1}', '$.a')",
          "select value from json_each('[1]')", "values (1)"})
      EXPECT_TRUE(store->query(sql)->next()) << sql;
    EXPECT_EQ(count(*store, "ratings"), 3);
    EXPECT_THROW(store->query("select length(randomblob(1000000000))")->next(), InvalidInput);
  }
  EXPECT_FALSE(std::filesystem::exists("copy.db"));
}

TEST(StoreTest, EndlessQueryStopsWhenTheUserAsks) {
  TempDir dir;
  auto store = open_store(dir / "shop.db", Store::Access::kWrite);
  std::thread user([] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    set_cancelled(true);
  });
  EXPECT_THROW(
      store->query("with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n")->next(),
      Interrupted);
  user.join();
  set_cancelled(false);
}

TEST(StoreTest, ReplacingATableIsAllOrNothing) {
  TempDir dir;
  auto store = open_store(dir / "shop.db", Store::Access::kWrite);
  const auto before = write_ratings(*store, 10);
  {
    Transaction transaction(*store);
    auto writer = store->write("ratings", kRatings);
    writer->add(std::vector<Value>{Value::null(), Value::null(), Value::null()});
  }
  EXPECT_EQ(store->describe("ratings").fingerprint, before.fingerprint);
  EXPECT_EQ(count(*store, "ratings"), 10);
  write_ratings(*store, 3, "Ratings");  // the same table for SQL
  EXPECT_THAT(store->tables(), ElementsAre("Ratings"));
  EXPECT_EQ(count(*store, "ratings"), 3);
}

TEST(StoreTest, ReaderSeesTheOldTableWhileANewOneIsWritten) {
  TempDir dir;
  auto store = open_store(dir / "shop.db", Store::Access::kWrite);
  write_ratings(*store, 10);
  auto reader = open_store(dir / "shop.db", Store::Access::kRead);
  Transaction transaction(*store);
  store->write("ratings", kRatings)->finish();
  EXPECT_EQ(count(*reader, "ratings"), 10);
  transaction.commit();
  EXPECT_EQ(count(*reader, "ratings"), 0);
}

TEST(StoreTest, NothingIsLeftBesideTheDatabase) {
  TempDir dir;
  {
    auto store = open_store(dir / "shop.db", Store::Access::kWrite);
    write_ratings(*store, 10);
    auto reader = open_store(dir / "shop.db", Store::Access::kRead);
    EXPECT_EQ(count(*reader, "ratings"), 10);
  }
  auto cursor = open_store(dir / "shop.db", Store::Access::kRead)->read("ratings");
  EXPECT_TRUE(cursor->next());
  cursor.reset();
  EXPECT_FALSE(std::filesystem::exists(dir / "shop.db-wal"));
  EXPECT_FALSE(std::filesystem::exists(dir / "shop.db-shm"));
}

TEST(StoreTest, FailedFirstImportLeavesNoFile) {
  TempDir dir;
  {
    auto store = open_store(dir / "new.db", Store::Access::kWrite);
    Transaction transaction(*store);
    store->write("ratings", kRatings);
  }
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
}

TEST(StoreTest, QueriesBecomeTables) {
  TempDir dir;
  auto store = open_store(dir / "shop.db", Store::Access::kWrite);
  {
    Transaction transaction(*store);
    auto raw = store->write("raw", {{"k", ColumnType::kText}, {"n", ColumnType::kInteger}}, true);
    raw->add(std::vector<Value>{Value::of(std::string_view("a")), Value::of(int64_t{1})});
    raw->add(std::vector<Value>{Value::of(std::string_view("a")), Value::of(int64_t{2})});
    raw->finish({{"k"}});
    const auto info = store->write_query("sums", "select k, sum(n) as n, min(n) as first from raw group by k",
                                         {{"n", ColumnType::kReal}, {"first", ColumnType::kText}}, {{"k"}});
    EXPECT_EQ(info.rows, 1);
    EXPECT_THROW(store->write_query("x", "select 'a' as n", {{"n", ColumnType::kReal}}), InvalidInput);
    store->drop("x");
    EXPECT_THROW(store->write_query("y", "select 1 as n", {{"m", ColumnType::kReal}}), InvalidInput);
    auto done = store->write_query("empty", "select k from raw where 0");
    EXPECT_EQ(done.rows, 0);
  }
  EXPECT_TRUE(store->tables().empty()) << "an exception was seen, so the transaction went unused";
}

TEST(StoreTest, ScratchTablesDoNotStay) {
  TempDir dir;
  {
    auto store = open_store(dir / "shop.db", Store::Access::kWrite);
    Transaction transaction(*store);
    store->write("raw", kRatings, true)->finish();
    store->write_query("kept", "select * from raw");
    transaction.commit();
    EXPECT_THAT(store->tables(), ElementsAre("kept"));
  }
  auto store = open_store(dir / "shop.db", Store::Access::kRead);
  EXPECT_THAT(store->describe("kept").columns, ::testing::ContainerEq(kRatings));
  EXPECT_THROW(store->read("raw"), InvalidInput);
}

TEST(StoreTest, ValuesOfAnotherTypeAreRefused) {
  TempDir dir;
  auto store = open_store(dir / "shop.db", Store::Access::kWrite);
  Transaction transaction(*store);
  auto writer = store->write("t", {{"n", ColumnType::kInteger}, {"x", ColumnType::kReal}});
  const auto text = Value::of(std::string_view("one"));
  EXPECT_THAT(message_of<InvalidInput>([&] {
                writer->add(std::vector<Value>{text, Value::null()});
              }),
              HasSubstr("column n: expected integer, got the text 'one'"));
  EXPECT_THROW(writer->add(std::vector<Value>{Value::of(0.5), Value::null()}), InvalidInput);
  EXPECT_THROW(store->write("fewshop_tables", kRatings), InvalidInput);
  EXPECT_THROW(store->write("sqlite_x", kRatings), InvalidInput);
  EXPECT_THROW(store->write("t2", {{"a", ColumnType::kText}, {"A", ColumnType::kText}}), InvalidInput);
  EXPECT_THROW(store->write("t3", {}), InvalidInput);
}

TEST(StoreTest, MissingTableNamesTheKnownOnes) {
  TempDir dir;
  auto store = open_store(dir / "shop.db", Store::Access::kWrite);
  EXPECT_THAT(message_of<InvalidInput>([&] { store->read("users"); }), HasSubstr("fewshop import"));
  write_ratings(*store, 1);
  EXPECT_THAT(message_of<InvalidInput>([&] { store->describe("users"); }),
              AllOf(HasSubstr("shop.db"), HasSubstr("no table 'users'"), HasSubstr("its tables: ratings")));
  EXPECT_THAT(message_of<InvalidInput>([&] { store->read("ratings", {"age"}); }),
              HasSubstr("no column 'age'; its columns: user_id, rating, time"));
}

}  // namespace
}  // namespace fewshop
