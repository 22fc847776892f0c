#include "store/shop_schema.h"

#include "core/error.h"
#include "store/server_lock.h"
#include "store/shop_store.h"
#include "store/shop_support.h"
#include "store/store.h"
#include "support/message_of.h"
#include "support/temp_dir.h"

namespace fewshop {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace testing;

/// Runs SQL as another program would.
void run(const std::string& path, const std::string& sql) {
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &db), SQLITE_OK);
  char* message = nullptr;
  EXPECT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, &message), SQLITE_OK) << message;
  sqlite3_close(db);
}

std::string fingerprint(const std::string& path, const std::string& table) {
  return open_store(path, Store::Access::kRead)->describe(table).fingerprint;
}

void write_events(const std::string& path) {
  const auto store = open_store(path, Store::Access::kWrite);
  Transaction transaction(*store);
  auto writer = store->write("events", {{"user_id", ColumnType::kText},
                                        {"item_id", ColumnType::kText},
                                        {"time", ColumnType::kTime},
                                        {"shade", ColumnType::kText}});
  for (int i = 0; i < 3; ++i)
    writer->add(std::vector<Value>{Value::of(std::string_view("u")), Value::of(std::string_view("i")),
                                   Value::of(int64_t{i}), Value::of(std::string_view("red"))});
  writer->finish({{"user_id"}});
  transaction.commit();
}

TEST(ShopSchemaTest, ANewDatabaseHasTheCanonicalTablesAsTheTypedStoreReadsThem) {
  const TempDir folder;
  const std::string path = folder / "shop.db";
  const auto server = ShopStore::open(path, {});
  const auto store = open_store(path, Store::Access::kRead);
  EXPECT_THAT(store->tables(), ElementsAre("events", "events_future", "events_withheld", "items", "users"));
  const TableInfo events = store->describe("events");
  EXPECT_EQ(events.columns[static_cast<size_t>(events.index_of("time"))].type, ColumnType::kTime);
  EXPECT_EQ(events.columns[static_cast<size_t>(events.index_of("price"))].type, ColumnType::kReal);
  EXPECT_EQ(events.columns[static_cast<size_t>(events.index_of("position"))].type, ColumnType::kInteger);
  const TableInfo items = store->describe("items");
  EXPECT_EQ(items.columns[static_cast<size_t>(items.index_of("hidden"))].type, ColumnType::kBoolean);
}

TEST(ShopSchemaTest, AnImportedTableIsCompletedAndItsOwnColumnsStay) {
  const TempDir folder;
  const std::string path = folder / "shop.db";
  write_events(path);
  const std::string before = fingerprint(path, "events");
  auto server = ShopStore::open(path, {});
  EXPECT_NE(fingerprint(path, "events"), before);
  const auto rows = server->history("u", "", 10, 100);
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[1].event_id, "import-2");
  EXPECT_EQ(rows[1].position, 0);
  EXPECT_TRUE(server->has_event("import-3"));
  // Withheld and given back, a row has what it had.
  server->write([](ShopStore::Writer& w) { w.set_personalization("u", "", false); });
  EXPECT_EQ(count_in(path, "select count(*) from events"), 0);
  server->write([](ShopStore::Writer& w) { w.set_personalization("u", "", true); });
  EXPECT_EQ(count_in(path, "select count(*) from events where shade = 'red'"), 3);
  // Imported once more, it is completed once more.
  server.reset();
  write_events(path);
  server = ShopStore::open(path, {});
  EXPECT_EQ(server->history("u", "", 10, 100).size(), 3u);
}

TEST(ShopSchemaTest, FingerprintsFollowWhatTheServerWrites) {
  const TempDir folder;
  const std::string path = folder / "shop.db";
  write_events(path);
  const auto server = ShopStore::open(path, {});
  std::set<std::string> events = {fingerprint(path, "events")}, items = {fingerprint(path, "items")};
  server->write([](ShopStore::Writer& w) { w.append(std::vector<Event>{event("e", 1, "u", "i")}); });
  EXPECT_FALSE(events.insert(fingerprint(path, "events")).second) << "the queue is no part of the table";
  server->index(10, 100);
  EXPECT_TRUE(events.insert(fingerprint(path, "events")).second);
  server->write([](ShopStore::Writer& w) { w.put_item({"i", false, {}, 0, {{"size", 3}}, ""}); });
  EXPECT_TRUE(items.insert(fingerprint(path, "items")).second);
  server->write([](ShopStore::Writer& w) { w.forget_user("u"); });
  EXPECT_TRUE(events.insert(fingerprint(path, "events")).second);
}

TEST(ShopSchemaTest, TablesThatCannotBeServedAreNamed) {
  const TempDir folder;
  run(folder / "twice.db", "create table users (user_id text); insert into users values ('a'), ('a')");
  EXPECT_THAT(message_of<InvalidInput>([&] { ShopStore::open(folder / "twice.db", {}); }),
              HasSubstr("table users has several rows with user_id = 'a'"));
  run(folder / "view.db", "create view events as select 1 as user_id");
  EXPECT_THAT(message_of<InvalidInput>([&] { ShopStore::open(folder / "view.db", {}); }),
              HasSubstr("'events' is a view"));
}

TEST(ShopSchemaTest, AnOlderSchemaIsCopiedAndMigratedAndANewerOneRefused) {
  const TempDir folder;
  const std::string path = folder / "shop.db";
  ShopStore::open(path, {})->write([](ShopStore::Writer& w) { w.put_user({"u", {}, "old"}); });
  const Migration steps[] = {
      {1, "this is not run"}, {2, "alter table users add column two text"}, {3, "update users set two = 'b'"}};
  for (int time = 0; time < 2; ++time) {
    Connection connection(path, Store::Access::kWrite, {});
    prepare_schema(connection, steps, 3);
  }
  EXPECT_EQ(count_in(path, "select count(*) from users where two = 'b'"), 1);
  EXPECT_EQ(count_in(folder / "shop.db.before-v3", "select count(*) from users where comment = 'old'"), 1);
  EXPECT_EQ(count_in(folder / "shop.db.before-v3", "select two from users"), -1);
  EXPECT_FALSE(std::filesystem::exists(folder / "shop.db.before-v3.2"));
  EXPECT_THAT(message_of<InvalidInput>([&] { ShopStore::open(path, {}); }),
              HasSubstr("has schema version 3; this program knows versions up to 1"));
  {
    // A migration that fails changes nothing.
    Connection connection(path, Store::Access::kWrite, {});
    const Migration broken[] = {{4, "update users set two = 'c'; select no_such_function()"}};
    EXPECT_THROW(prepare_schema(connection, broken, 4), Error);
  }
  EXPECT_EQ(count_in(path, "select count(*) from users where two = 'b'"), 1);
  EXPECT_EQ(count_in(path, "pragma user_version"), 3);
}

TEST(ShopSchemaTest, ADatabaseHasOneServerAndIsReadBesideIt) {
  const TempDir folder;
  const std::string path = folder / "shop.db";
  const std::string pid = std::to_string(::getpid());
  auto server = ShopStore::open(path, {});
  EXPECT_THAT(message_of<Failure>([&] { ShopStore::open(path, {}); }), HasSubstr("process " + pid));
  EXPECT_THAT(message_of<Failure>([&] { open_store(path, Store::Access::kWrite); }),
              AllOf(HasSubstr("process " + pid), HasSubstr("stop the server")));
  EXPECT_EQ(open_store(path, Store::Access::kRead)->describe("users").rows, 0);
  server.reset();
  EXPECT_TRUE(std::filesystem::exists(path + ".lock"));
  {
    // A writer that was opened before the server finds out when it begins.
    const auto store = open_store(path, Store::Access::kWrite);
    server = ShopStore::open(path, {});
    EXPECT_THROW(Transaction transaction(*store), Failure);
  }
  ShopStore::Options unlocked;
  unlocked.lock = false;
  EXPECT_NO_THROW(ShopStore::open(path, unlocked));
}

TEST(ShopSchemaTest, AMissingDatabaseIsCreatedOnlyWhenAsked) {
  const TempDir folder;
  ShopStore::Options options;
  options.create = false;
  EXPECT_THAT(message_of<InvalidInput>([&] { ShopStore::open(folder / "none.db", options); }),
              HasSubstr("no such database"));
  EXPECT_FALSE(std::filesystem::exists(folder / "none.db.lock"));
}

}  // namespace
}  // namespace fewshop
