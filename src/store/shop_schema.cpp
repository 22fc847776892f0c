#include "store/shop_schema.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include "core/error.h"
#include "core/text.h"

namespace fewshop {
namespace {

using Columns = std::vector<TableColumn>;
constexpr auto kText = ColumnType::kText;
constexpr auto kReal = ColumnType::kReal;

const Columns& users() {
  static const Columns columns = {{"user_id", kText}, {"labels", kText}, {"comment", kText}};
  return columns;
}

const Columns& items() {
  static const Columns columns = {{"item_id", kText},    {"hidden", ColumnType::kBoolean},
                                  {"categories", kText}, {"time", ColumnType::kTime},
                                  {"labels", kText},     {"comment", kText}};
  return columns;
}

const Columns& events() {
  static const Columns columns = {{"event_id", kText},
                                  {"position", ColumnType::kInteger},
                                  {"time", ColumnType::kTime},
                                  {"event", kText},
                                  {"user_id", kText},
                                  {"client_id", kText},
                                  {"session_id", kText},
                                  {"item_id", kText},
                                  {"quantity", kReal},
                                  {"price", kReal},
                                  {"value", kReal},
                                  {"rating", kReal},
                                  {"recommendation_id", kText},
                                  {"extra", kText},
                                  {"guest", ColumnType::kBoolean}};
  return columns;
}

bool has_table(Connection& connection, const std::string& name) {
  auto query =
      connection.query("select type from sqlite_master where type in ('table', 'view') and name = ? collate nocase");
  query.add(name);
  if (!query.step()) return false;
  require(query.view(0) == "table", connection.database().path(), ": '", name,
          "' is a view; the server keeps a table of this name: rename the view");
  return true;
}

/// Creates the table or adds the columns that it lacks; true where something was added to one that was there.
bool complete(Connection& connection, const std::string& table, const Columns& columns) {
  if (!has_table(connection, table)) {
    std::string list;
    for (const auto& column : columns)
      list += (list.empty() ? "" : ", ") + quote_name(column.name) + " " + type_name(column.type);
    connection.exec("create table " + quote_name(table) + " (" + list + ")");
    return false;
  }
  const auto present = columns_of(connection, table);
  bool added = false;
  for (const auto& column : columns) {
    bool found = false;
    for (const auto& one : present) found = found || ascii_lower(one.first) == column.name;
    if (found) continue;
    add_column(connection, table, column.name, column.type);
    added = true;
  }
  return added;
}

void unique_index(Connection& connection, const std::string& table, const std::string& columns) {
  try {
    connection.exec(fmt::format("create unique index if not exists fewshop_live_{0}_key on {0} ({1})", table, columns));
  } catch (const InvalidInput&) {
    auto query =
        connection.query(fmt::format("select {1} from {0} group by {1} having count(*) > 1 and {2} is not null limit 1",
                                     table, columns, columns.substr(0, columns.find(','))));
    if (!query.step()) throw;
    throw InvalidInput(fmt::format(
        "{}: table {} has several rows with {} = '{}'; a server needs one row for each ({}): remove the others",
        connection.database().path(), table, columns.substr(0, columns.find(',')), query.view(0), columns));
  }
}

void canonical_tables(Connection& connection) {
  complete(connection, "users", users());
  complete(connection, "items", items());
  complete(connection, "events", events());
  connection.exec("update events set event_id = 'import-' || rowid where event_id is null");
  // Of rows that an import has left without a place: a start does not read the whole table to find none.
  connection.exec(
      "create index if not exists fewshop_live_events_unplaced on events (event_id) where position is null");
  connection.exec(kPlaceRows);
  unique_index(connection, "users", "user_id");
  unique_index(connection, "items", "item_id");
  unique_index(connection, "events", "event_id, position");
  for (const char* table : {"events_future", "events_withheld"}) {
    complete(connection, table, events());
    // Rows come and go between these tables: what an imported table has beyond ours goes with them.
    for (const auto& [column, type] : columns_of(connection, "events"))
      complete(connection, table, {{column, type_from_name(ascii_lower(type)).value_or(kText)}});
    unique_index(connection, table, "event_id, position");
  }
  for (const char* table : {"events", "events_future", "events_withheld"}) {
    connection.exec(fmt::format(
        "create index if not exists fewshop_live_{0}_user_kind on {0} (user_id, event, time) where user_id is not null",
        table));
    connection.exec(fmt::format(
        "create index if not exists fewshop_live_{0}_guest_kind on {0} (client_id, event, time) where client_id is not "
        "null",
        table));
  }
  // By which a person's rows of one kind could not be found among those of others.
  for (const char* table : {"events", "events_future", "events_withheld"})
    for (const char* who : {"user", "guest"})
      connection.exec(fmt::format("drop index if exists fewshop_live_{}_{}", table, who));
  connection.exec("create index if not exists fewshop_live_events_item on events (item_id) where item_id is not null");
  connection.exec("create index if not exists fewshop_live_events_future_time on events_future (time)");
}

void own_tables(Connection& connection) {
  connection.exec("create table if not exists fewshop_queue (batch integer primary key, events blob not null)");
  connection.exec("create table if not exists fewshop_joins (client_id text primary key, user_id text not null)");
  connection.exec("create index if not exists fewshop_live_joins_user on fewshop_joins (user_id)");
  connection.exec("create table if not exists fewshop_refusals (who text primary key)");
  connection.exec(
      "create table if not exists fewshop_removed (hash text primary key, time integer not null) without rowid");
  connection.exec("create index if not exists fewshop_live_removed_time on fewshop_removed (time)");
  connection.exec("create table if not exists fewshop_settings (name text primary key, value text not null)");
}

int version_of(Connection& connection) {
  auto query = connection.query("pragma user_version");
  query.step();
  return static_cast<int>(query.integer(0));
}

/// A copy that is whole whatever happens afterwards; SQLite syncs it.
void back_up(Database& database, int version) {
  struct stat status = {};
  std::string path = fmt::format("{}.before-v{}", database.path(), version);
  for (int n = 2; ::stat(path.c_str(), &status) == 0; ++n)
    path = fmt::format("{}.before-v{}.{}", database.path(), version, n);
  sqlite3* copy = nullptr;
  int result = sqlite3_open_v2(path.c_str(), &copy, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr);
  if (result == SQLITE_OK) {
    sqlite3_backup* backup = sqlite3_backup_init(copy, "main", database.handle(), "main");
    if (backup) sqlite3_backup_step(backup, -1);
    result = backup ? sqlite3_backup_finish(backup) : sqlite3_errcode(copy);
  }
  const std::string message = sqlite3_errmsg(copy);
  sqlite3_close(copy);
  if (result != SQLITE_OK)
    throw Failure(fmt::format("{}: the copy that is made before the database is brought to version {} failed: {}", path,
                              version, message));
}

}  // namespace

std::vector<std::pair<std::string, std::string>> columns_of(Connection& connection, const std::string& table) {
  std::vector<std::pair<std::string, std::string>> columns;
  auto query = connection.query("select name, type from pragma_table_info(?)");
  query.add(table);
  while (query.step()) columns.emplace_back(query.text(0), query.text(1));
  return columns;
}

void add_column(Connection& connection, const std::string& table, const std::string& column, ColumnType type) {
  connection.exec(
      fmt::format("alter table {} add column {} {}", quote_name(table), quote_name(column), type_name(type)));
  // No trigger sees this change, and it is one of the content.
  if (has_table(connection, "fewshop_tables"))
    connection.exec("update fewshop_tables set fingerprint = '' where name = " + quote_text(table) + " collate nocase");
}

std::string event_columns(Connection& connection) {
  std::string list;
  for (const auto& column : columns_of(connection, "events"))
    list += (list.empty() ? "" : ", ") + quote_name(column.first);
  return list;
}

void prepare_schema(Connection& connection, std::span<const Migration> migrations, int newest) {
  Database& database = connection.database();
  const int found = version_of(connection);
  require(found <= newest, database.path(), ": has schema version ", found, "; this program knows versions up to ",
          newest, ": run the program that wrote it, or a newer one");
  if (found > 0 && found < newest) back_up(database, newest);
  connection.exec("begin immediate");
  try {
    if (found > 0)
      for (const Migration& step : migrations)
        if (step.version > found) connection.exec(step.sql);
    canonical_tables(connection);
    own_tables(connection);
    connection.exec(fmt::format("pragma user_version = {}", newest));
    connection.exec("commit");
  } catch (...) {
    sqlite3_exec(database.handle(), "rollback", nullptr, nullptr, nullptr);
    throw;
  }
  database.keep();
}

}  // namespace fewshop
