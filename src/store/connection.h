#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "store/sqlite_database.h"

namespace fewshop {

/// A connection of the server with the statements it has used before, ready to be used again. Of one thread at a time.
class Connection {
 public:
  Connection(const std::string& path, Store::Access access, const DatabaseOptions& options)
      : database_(path, access, options) {}

  /// One run of a statement: parameters in order, then rows. Ends, and frees what it locked, with the object; until
  /// then the same SQL cannot be run a second time.
  ///
  ///     auto query = connection.query("select item_id from items where hidden = ?").add(int64_t{1});
  ///     while (query.step()) use(query.text(0));
  class Query {
   public:
    Query(Database& database, sqlite3_stmt* statement) : database_(&database), statement_(statement) {}
    Query(Query&& other) noexcept
        : database_(other.database_), statement_(std::exchange(other.statement_, nullptr)), bound_(other.bound_) {}
    Query& operator=(Query&&) = delete;
    ~Query();

    /// "" is NULL: what was not given.
    Query& add(std::string_view text) &;
    Query& add(int64_t number) &;
    /// NaN is NULL: what was not given.
    Query& add(double number) &;
    Query& add_blob(std::string_view bytes);
    template <class Value>
    Query&& add(const Value& value) && {
      add(value);
      return std::move(*this);
    }

    /// True where there is a row.
    bool step() { return database_->step(statement_); }
    /// Runs to the end; the number of rows changed.
    int64_t run();

    bool null(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }
    /// Valid until the next step; "" for NULL.
    std::string_view view(int column) const;
    std::string text(int column) const { return std::string(view(column)); }
    int64_t integer(int column) const { return sqlite3_column_int64(statement_, column); }
    /// NaN for NULL.
    double real(int column) const;
    sqlite3_stmt* statement() const { return statement_; }

   private:
    Database* database_;
    sqlite3_stmt* statement_;
    int bound_ = 0;
  };

  Query query(const std::string& sql);
  void exec(const std::string& sql) { database_.exec(sql); }
  Database& database() { return database_; }

 private:
  Database database_;
  std::unordered_map<std::string, Database::Statement> statements_;
};

}  // namespace fewshop
