#include "store/sqlite_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "core/error.h"
#include "core/progress.h"
#include "core/text.h"
#include "store/content_hash.h"
#include "store/server_lock.h"
#include "store/sqlite_cursor.h"
#include "store/sqlite_database.h"

namespace fewshop {
namespace {

// Name, rows and fingerprint of every table that was imported. Triggers empty the fingerprint when anybody changes
// the table, whatever program it is; an empty one is computed anew.
constexpr const char* kRegister =
    "create table if not exists fewshop_tables(name text primary key, rows integer not null, fingerprint text not "
    "null)";

/// The value as it will be read back from a column of this type.
Value stored(const Value& value, const TableColumn& column) {
  using Kind = Value::Kind;
  if (value.is_null() || (value.kind == Kind::kReal && std::isnan(value.real))) return Value::null();
  const auto refuse = [&](const char* what) -> Value {
    throw InvalidInput(fmt::format("column {}: expected {}, got {} '{}'", column.name, type_name(column.type), what,
                                   value.to_text().substr(0, 100)));
  };
  switch (column.type) {
    case ColumnType::kText:
      return value.kind == Kind::kText ? value : refuse("the number");
    case ColumnType::kReal:
      if (value.kind == Kind::kText) return refuse("the text");
      return Value::of(value.number() + 0.0);  // -0 reads back as 0
    default:
      if (value.kind == Kind::kText) return refuse("the text");
      if (value.kind == Kind::kInteger) return value;
      if (std::floor(value.real) != value.real || std::fabs(value.real) > 0x1p62) return refuse("the number");
      return Value::of(static_cast<int64_t>(value.real));
  }
}

class SqliteWriter;

class SqliteStore : public Store {
 public:
  SqliteStore(std::shared_ptr<Database> database, Access access, int64_t events_through = -1)
      : database_(std::move(database)), access_(access) {
    if (events_through < 0 || last_event_row() < 0) return;
    // SQL of a scenario finds the view before the table; read() names the table.
    events_limit_ = fmt::format("rowid <= {}", events_through);
    database_->exec("pragma query_only = 0");
    database_->exec("create temp view events as select * from main.events where " + events_limit_);
    database_->exec("pragma query_only = 1");
  }

  const std::string& location() const override { return database_->path(); }

  std::vector<std::string> tables() override {
    std::vector<std::string> names;
    auto statement = database_->prepare(
        "select name from sqlite_master where type in ('table', 'view') and name not like 'sqlite\\_%' escape '\\' "
        "and name not like 'fewshop\\_%' escape '\\' order by name");
    while (database_->step(statement.get())) names.emplace_back(value_of(statement.get(), 0).text);
    return names;
  }

  TableInfo describe(const std::string& table) override {
    auto cursor = read(table, {}, {});
    TableInfo info{table, cursor->columns(), 0, ""};
    if (registered(info)) return info;
    ContentHash hash(info.columns);
    while (cursor->next()) {
      for (size_t c = 0; c < info.columns.size(); ++c) hash.add(cursor->at(static_cast<int>(c)));
      hash.end_row();
    }
    info.rows = hash.rows();
    info.fingerprint = hash.hex();
    return info;
  }

  std::unique_ptr<Cursor> read(const std::string& table, const std::vector<std::string>& columns,
                               const Equals& equals) override {
    const std::string kind = kind_of(table);
    std::string list;
    if (!columns.empty()) {
      const auto known = database_->prepare("select * from " + quote_name(table));
      for (const auto& column : columns) {
        std::string names;
        bool found = false;
        for (int c = 0; c < sqlite3_column_count(known.get()); ++c) {
          const char* name = sqlite3_column_name(known.get(), c);
          found = found || column == name;
          names += (c ? ", " : "") + std::string(name);
        }
        require(found, location(), ": table ", table, " has no column '", column, "'; its columns: ", names);
        list += (list.empty() ? "" : ", ") + quote_name(column);
      }
    }
    // Without "not indexed" a covering index could change the order of the rows; one that finds them has to be allowed.
    const bool limited = !events_limit_.empty() && ascii_lower(table) == "events";
    std::string where = where_sql(equals);
    if (limited) where += (where.empty() ? " where " : " and ") + events_limit_;
    const std::string sql =
        fmt::format("select {} from {}{}{}{}{}", list.empty() ? "*" : list, limited ? "main." : "", quote_name(table),
                    (kind == "view" && !limited) || !equals.empty() ? "" : " not indexed", where,
                    equals.empty() || !has_rowid(table, limited ? "main" : nullptr) ? "" : " order by rowid");
    return std::make_unique<SqliteCursor>(database_, bound(database_->prepare(sql), equals), equals);
  }

  std::unique_ptr<Cursor> query(const std::string& sql, const Equals& equals) override {
    auto statement = database_->prepare_locked(sql);
    if (equals.empty()) return std::make_unique<SqliteCursor>(database_, std::move(statement));
    // The statement alone is one that only reads; without the semicolon that may end it, it is a subquery.
    std::string inner = sqlite3_sql(statement.get());
    if (inner.ends_with(';')) inner.pop_back();
    std::string names;
    for (int c = 0; c < sqlite3_column_count(statement.get()); ++c)
      names += (c ? ", " : "") + std::string(sqlite3_column_name(statement.get(), c));
    for (const auto& equal : equals) {
      bool found = false;
      for (int c = 0; c < sqlite3_column_count(statement.get()); ++c)
        found = found || equal.first == sqlite3_column_name(statement.get(), c);
      require(found, "sql: no column '", equal.first, "'; its columns: ", names);
    }
    statement = database_->prepare_locked("select * from (\n" + inner + "\n)" + where_sql(equals));
    return std::make_unique<SqliteCursor>(database_, bound(std::move(statement), equals), equals);
  }

  int64_t last_event_row() override {
    if (!exists("events", "table") || !has_rowid("events", "main")) return -1;
    const auto statement = database_->prepare("select coalesce(max(rowid), 0) from main.events");
    database_->step(statement.get());
    return value_of(statement.get(), 0).integer;
  }

  /// `database`: "main", or null where a scratch table comes before one of the same name.
  bool has_rowid(const std::string& table, const char* database) {
    return sqlite3_table_column_metadata(database_->handle(), database, table.c_str(), "rowid", nullptr, nullptr,
                                         nullptr, nullptr, nullptr) == SQLITE_OK;
  }

  std::string query_fingerprint(const std::string& sql) override {
    std::set<std::string> read;
    database_->prepare_locked(sql, &read);
    Fingerprint fingerprint;
    fingerprint.add(sql);
    const auto known = tables();
    for (const auto& table : read) {
      // The tables behind a view are in the list too.
      if (std::find(known.begin(), known.end(), table) == known.end() || exists(table, "view")) continue;
      fingerprint.add(table).add(describe(table).fingerprint);
    }
    return fingerprint.hex();
  }

  std::unique_ptr<TableWriter> write(const std::string& table, const std::vector<TableColumn>& columns,
                                     bool scratch) override;

  TableInfo write_query(const std::string& table, const std::string& sql,
                        const std::map<std::string, ColumnType>& types,
                        const std::vector<std::vector<std::string>>& indexes, bool scratch) override {
    // SQLite drops no table while a query runs.
    if (!scratch) drop(table);
    auto cursor = query(sql, {});
    auto columns = cursor->columns();
    for (const auto& [name, type] : types) {
      bool found = false;
      for (auto& column : columns)
        if (column.name == name) {
          column.type = type;
          found = true;
        }
      require(found, "table ", table, ": types names the column '", name, "', which its sql does not give");
    }
    auto writer = write(table, columns, scratch);
    std::vector<Value> row(columns.size());
    std::vector<std::string> texts(columns.size());
    Progress progress("table " + table, 0);
    for (int64_t n = 0; cursor->next(); ++n) {
      constexpr int64_t kRowsBetweenChecks = 1024;
      if (n % kRowsBetweenChecks == 0) progress.advance(n > 0 ? kRowsBetweenChecks : 0);
      for (size_t c = 0; c < columns.size(); ++c) {
        row[c] = cursor->at(static_cast<int>(c));
        if (columns[c].type == ColumnType::kText && row[c].is_number()) {
          texts[c] = row[c].to_text();
          row[c] = Value::of(std::string_view(texts[c]));
        }
      }
      writer->add(row);
    }
    return writer->finish(indexes);
  }

  void drop(const std::string& table) override {
    // SQL does not tell capitals from small letters, so "Ratings" replaces "ratings".
    auto statement = database_->prepare(
        "select type, name from sqlite_master where type in ('table', 'view') and name = " + quote_text(table) +
        " collate nocase");
    if (!database_->step(statement.get())) return;
    const std::string type(value_of(statement.get(), 0).text), name(value_of(statement.get(), 1).text);
    statement.reset();
    require(type != "view", location(), ": '", name, "' is a view; give another name");
    database_->exec("drop table main." + quote_name(name));
    database_->exec("delete from fewshop_tables where name = " + quote_text(name));
  }

  void enter(const TableInfo& info) {
    auto statement = database_->prepare("insert or replace into fewshop_tables values (?, ?, ?)");
    sqlite3_bind_text(statement.get(), 1, info.name.data(), static_cast<int>(info.name.size()), SQLITE_STATIC);
    sqlite3_bind_int64(statement.get(), 2, info.rows);
    sqlite3_bind_text(statement.get(), 3, info.fingerprint.data(), static_cast<int>(info.fingerprint.size()),
                      SQLITE_STATIC);
    database_->step(statement.get());
    for (const char* change : {"insert", "update", "delete"})
      database_->exec(fmt::format(
          "create trigger {} after {} on {} begin update fewshop_tables set fingerprint = '' where name = {} and "
          "fingerprint <> ''; end",
          quote_name(fmt::format("fewshop_{}_{}", change, info.name)), change, quote_name(info.name),
          quote_text(info.name)));
  }

  Database& database() { return *database_; }
  int unfinished = 0;  // writers without finish()

 protected:
  void begin() override {
    require(access_ == Access::kWrite, location(), ": opened for reading");
    database_->exec("begin immediate");
    unfinished = 0;
    try {
      // A server takes its lock before it writes for the first time: one of the two sees the other.
      refuse_served(location());
    } catch (...) {
      rollback();
      throw;
    }
    database_->exec(kRegister);
  }

  void commit() override {
    if (unfinished) throw std::logic_error("commit with an unfinished table");
    database_->exec("commit");
    database_->keep();
  }

  void rollback() noexcept override {
    // A full disk may have rolled back already: then there is nothing to undo.
    sqlite3_exec(database_->handle(), "rollback", nullptr, nullptr, nullptr);
  }

 private:
  bool exists(const std::string& name, const std::string& type = "") {
    auto statement = database_->prepare("select type from sqlite_master where type in ('table', 'view') and name = " +
                                        quote_text(name));
    return database_->step(statement.get()) && (type.empty() || value_of(statement.get(), 0).text == type);
  }

  /// "table" or "view"; throws, naming the known ones, where there is neither.
  std::string kind_of(const std::string& table) {
    auto statement = database_->prepare(
        "select type from (select type, name from sqlite_temp_master union all select type, name from sqlite_master) "
        "where type in ('table', 'view') and name = " +
        quote_text(table));
    if (database_->step(statement.get())) return std::string(value_of(statement.get(), 0).text);
    std::string known;
    for (const auto& name : tables()) known += (known.empty() ? "" : ", ") + name;
    throw InvalidInput(
        location() + ": no table '" + table + "'; " +
        (known.empty() ? "the database has none: fill it with 'fewshop import'" : "its tables: " + known));
  }

  bool registered(TableInfo& info) {
    if (!exists("fewshop_tables")) return false;
    // Somebody may have dropped and made the table again: then the triggers are gone.
    auto triggers = database_->prepare(
        "select count(*) from sqlite_master where type = 'trigger' and name glob 'fewshop_*' and tbl_name = " +
        quote_text(info.name));
    database_->step(triggers.get());
    if (value_of(triggers.get(), 0).integer != 3) return false;
    auto statement =
        database_->prepare("select rows, fingerprint from fewshop_tables where name = " + quote_text(info.name));
    if (!database_->step(statement.get())) return false;
    info.rows = value_of(statement.get(), 0).integer;
    info.fingerprint = value_of(statement.get(), 1).text;
    return !info.fingerprint.empty();
  }

  std::shared_ptr<Database> database_;
  Access access_;
  std::string events_limit_;  // the condition on rows of `events`; "" = none
};

class SqliteWriter : public TableWriter {
 public:
  SqliteWriter(SqliteStore& store, std::string table, std::vector<TableColumn> columns, bool scratch)
      : store_(store),
        table_(std::move(table)),
        columns_(std::move(columns)),
        scratch_(scratch),
        hash_(columns_),
        insert_(nullptr, sqlite3_finalize) {
    auto& database = store_.database();
    std::string names, marks;
    for (const auto& column : columns_) {
      names += (names.empty() ? "" : ", ") + quote_name(column.name) + " " + type_name(column.type);
      marks += marks.empty() ? "?" : ", ?";
    }
    place_ = (scratch_ ? "temp." : "main.") + quote_name(table_);
    if (scratch_)
      database.exec("drop table if exists " + place_);
    else
      store_.drop(table_);
    database.exec(fmt::format("create {}table {} ({})", scratch_ ? "temp " : "", quote_name(table_), names));
    insert_ = database.prepare(fmt::format("insert into {} values ({})", place_, marks));
    ++store_.unfinished;
  }

  void add(std::span<const Value> row) override {
    if (row.size() != columns_.size()) throw std::logic_error("a row of another width than its table");
    sqlite3_stmt* insert = insert_.get();
    for (int c = 0; c < static_cast<int>(row.size()); ++c) {
      const Value value = stored(row[c], columns_[c]);
      if (!scratch_) hash_.add(value);
      switch (value.kind) {
        case Value::Kind::kNull:
          sqlite3_bind_null(insert, c + 1);
          break;
        case Value::Kind::kInteger:
          sqlite3_bind_int64(insert, c + 1, value.integer);
          break;
        case Value::Kind::kReal:
          sqlite3_bind_double(insert, c + 1, value.real);
          break;
        case Value::Kind::kText:
          // SQLite takes a null pointer for NULL, and an empty text may have one.
          if (sqlite3_bind_text64(insert, c + 1, value.text.data() ? value.text.data() : "", value.text.size(),
                                  SQLITE_STATIC, SQLITE_UTF8) != SQLITE_OK)
            throw InvalidInput("column " + columns_[c].name + ": a value is too long for the database");
          break;
      }
    }
    if (!scratch_) hash_.end_row();
    ++rows_;
    store_.database().step(insert);
    sqlite3_reset(insert);
  }

  int64_t rows() const override { return rows_; }

  TableInfo finish(const std::vector<std::vector<std::string>>& indexes) override {
    insert_.reset();
    TableInfo info{table_, columns_, rows_, scratch_ ? "" : hash_.hex()};
    for (const auto& index : indexes) {
      std::string list, name = (scratch_ ? "scratch_" : "fewshop_") + table_;
      for (const auto& column : index) {
        require(info.index_of(column) >= 0, "table ", table_, ": index over '", column, "', which it does not have");
        list += (list.empty() ? "" : ", ") + quote_name(column);
        name += "_" + column;
      }
      store_.database().exec(fmt::format("create index {}{} on {} ({})", scratch_ ? "temp." : "main.", quote_name(name),
                                         quote_name(table_), list));
    }
    if (!scratch_) store_.enter(info);
    --store_.unfinished;
    return info;
  }

 private:
  SqliteStore& store_;
  std::string table_, place_;
  std::vector<TableColumn> columns_;
  bool scratch_;
  ContentHash hash_;
  Database::Statement insert_;
  int64_t rows_ = 0;
};

std::unique_ptr<TableWriter> SqliteStore::write(const std::string& table, const std::vector<TableColumn>& columns,
                                                bool scratch) {
  const std::string place = "table '" + table.substr(0, 100) + "'";
  require(!table.empty() && table.size() <= 200, place, ": a name has 1 to 200 characters");
  require(!ascii_lower(table).starts_with("sqlite_") && !ascii_lower(table).starts_with("fewshop_"), place,
          ": names beginning with sqlite_ or fewshop_ are taken; give another one");
  for (const unsigned char c : table) require(c >= 32, place, ": a name has no control characters");
  require(!columns.empty(), place, ": no columns");
  require(columns.size() <= 1000, place, ": ", columns.size(), " columns; at most 1000 are possible");
  std::set<std::string> seen;
  for (const auto& column : columns) {
    require(!column.name.empty() && column.name.find('\0') == std::string::npos, place, ": a column without a name");
    require(seen.insert(ascii_lower(column.name)).second, place, ": two columns are called '", column.name,
            "' (SQL does not tell capitals from small letters); rename one of them");
  }
  return std::make_unique<SqliteWriter>(*this, table, columns, scratch);
}

}  // namespace

std::unique_ptr<Store> open_sqlite(const std::string& path, Store::Access access, const StoreOptions& options) {
  if (access == Store::Access::kWrite) refuse_served(path);
  DatabaseOptions database;
  database.busy_ms = options.busy_ms;
  return std::make_unique<SqliteStore>(std::make_shared<Database>(path, access, std::move(database)), access,
                                       access == Store::Access::kRead ? options.events_through : -1);
}

}  // namespace fewshop
