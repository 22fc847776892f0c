#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fewshop {

/// What a column means. Times are integers (microseconds since 1970 UTC), booleans 0 or 1, ids text.
enum class ColumnType { kInteger, kReal, kText, kTime, kBoolean };

/// "integer", "real", "text", "time", "boolean".
const char* type_name(ColumnType type);
std::optional<ColumnType> type_from_name(std::string_view name);

struct TableColumn {
  std::string name;
  ColumnType type = ColumnType::kText;
  bool operator==(const TableColumn&) const = default;
};

struct TableInfo {
  std::string name;
  std::vector<TableColumn> columns;
  int64_t rows = 0;
  /// Changes whenever the content, its order, or a column's name or type does.
  std::string fingerprint;

  /// Position of a column, -1 when there is none.
  int index_of(std::string_view column) const;
};

/// One cell. Text points into the cursor (valid until its next step) or, when written, into the caller's memory.
struct Value {
  enum class Kind : uint8_t { kNull, kInteger, kReal, kText };
  Kind kind = Kind::kNull;
  int64_t integer = 0;
  double real = 0;
  std::string_view text;

  static Value null() { return {}; }
  static Value of(int64_t value) { return {Kind::kInteger, value, 0, {}}; }
  static Value of(double value) { return {Kind::kReal, 0, value, {}}; }
  static Value of(std::string_view value) { return {Kind::kText, 0, 0, value}; }

  bool is_null() const { return kind == Kind::kNull; }
  bool is_number() const { return kind == Kind::kInteger || kind == Kind::kReal; }
  /// The value as a number; 0 for text and null.
  double number() const { return kind == Kind::kInteger ? static_cast<double>(integer) : real; }
  /// The value as text, numbers in their shortest form ("3", "0.5"), "" for null: how ids and categories are compared.
  std::string to_text() const;
};

/// Rows of a table or a query, one after the other:  while (cursor->next()) use(cursor->at(0));
/// A cell usually, but not always, has the kind of its column's type: SQLite lets an expression mix them.
class Cursor {
 public:
  virtual ~Cursor() = default;
  virtual const std::vector<TableColumn>& columns() const = 0;
  /// Steps to the next row; false at the end. Throws Interrupted when the user asked to stop.
  virtual bool next() = 0;
  virtual Value at(int column) const = 0;
  /// Rows of tables that were gone through one by one until now because no index led to those that were wanted.
  virtual int64_t scanned() const = 0;
};

/// Writes one table inside the store's transaction. Without finish() the transaction cannot be committed.
class TableWriter {
 public:
  virtual ~TableWriter() = default;
  /// One value per column, of the column's type or null (integers are taken for reals; NaN is null).
  virtual void add(std::span<const Value> row) = 0;
  virtual int64_t rows() const = 0;
  /// Ends the table; builds the indexes, each over the named columns.
  virtual TableInfo finish(const std::vector<std::vector<std::string>>& indexes = {}) = 0;
};

/// Columns and what they have to equal, as Value::to_text() writes it; all of them must hold.
using Equals = std::vector<std::pair<std::string, std::string>>;

/// Typed tables behind one interface. SQLite today (docs/data-formats.md). One store belongs to one thread.
///
/// Errors: InvalidInput for what was asked wrongly (no such file or table, not a database, SQL that fails or writes),
/// Failure for what the machine refuses (locked, disk full), Interrupted on Ctrl-C.
class Store {
 public:
  enum class Access { kRead, kWrite };

  virtual ~Store() = default;

  /// Path or URL as it was given, for messages.
  virtual const std::string& location() const = 0;

  /// Tables and views of the shop, sorted; none of the store's own.
  virtual std::vector<std::string> tables() = 0;
  bool has_table(const std::string& name);

  /// Names known tables when there is no such table.
  virtual TableInfo describe(const std::string& table) = 0;

  /// Rows in the order they were written; all columns when none are named. `equals` (over columns that are read) leaves
  /// only the rows that have these values, found by an index where there is one.
  virtual std::unique_ptr<Cursor> read(const std::string& table, const std::vector<std::string>& columns = {},
                                       const Equals& equals = {}) = 0;

  /// One read-only statement of a user. Writes, attached files, pragmas, extensions and second statements are refused.
  /// A column that is an expression gets the type of the first values that are not null (text where all are).
  /// `equals` asks for some rows of the result: the statement becomes a subquery, so that indexes of its tables are
  /// used where SQLite can; the order is the statement's own where it has an `order by`.
  virtual std::unique_ptr<Cursor> query(const std::string& sql, const Equals& equals = {}) = 0;

  /// Fingerprint of the statement and of the content of every table that it reads.
  virtual std::string query_fingerprint(const std::string& sql) = 0;

  /// The number of the row of the table `events` that was accepted last: rows that come later have higher ones. -1
  /// where there is no such table.
  virtual int64_t last_event_row() = 0;

  // Writing: inside a Transaction only.

  /// Begins a table that replaces one of the same name. `scratch`: it is gone when the store is closed.
  virtual std::unique_ptr<TableWriter> write(const std::string& table, const std::vector<TableColumn>& columns,
                                             bool scratch = false) = 0;
  /// Writes the result of a read-only statement as a table; `types` overrides those of its columns.
  virtual TableInfo write_query(const std::string& table, const std::string& sql,
                                const std::map<std::string, ColumnType>& types = {},
                                const std::vector<std::vector<std::string>>& indexes = {}, bool scratch = false) = 0;
  virtual void drop(const std::string& table) = 0;

 protected:
  friend class Transaction;
  virtual void begin() = 0;
  virtual void commit() = 0;
  virtual void rollback() noexcept = 0;
};

/// All or nothing: what was written since is undone unless commit() was reached.
class Transaction {
 public:
  explicit Transaction(Store& store) : store_(store) { store_.begin(); }
  ~Transaction() {
    if (!done_) store_.rollback();
  }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  void commit() {
    store_.commit();
    done_ = true;
  }

 private:
  Store& store_;
  bool done_ = false;
};

struct StoreOptions {
  int busy_ms = 5000;  // how long to wait for another program's lock
  /// Reading: rows of the table `events` whose number (last_event_row) is higher are not there; -1 = all are.
  int64_t events_through = -1;
};

/// The file that a location names: a path, or sqlite://PATH. Throws InvalidInput for another kind of database.
std::string database_path(const std::string& location);

/// Opens the database at `location`, a path. kWrite creates the file when it is missing.
std::unique_ptr<Store> open_store(const std::string& location, Store::Access access, const StoreOptions& options = {});

}  // namespace fewshop
