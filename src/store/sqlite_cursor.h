#pragma once

#include <sqlite3.h>

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "store/sqlite_database.h"
#include "store/store.h"

namespace fewshop {

/// The value of a column of the row where a statement stands. A text lies in the statement, until its next step.
Value value_of(sqlite3_stmt* statement, int column);

/// " where ..." with two parameters a column: the text, and the number that it stands for. "" for no conditions.
std::string where_sql(const Equals& equals);
/// Binds the parameters of where_sql(), which are the last ones of the statement.
Database::Statement bound(Database::Statement statement, const Equals& equals);

/// The rows of a statement. Columns have their declared types; those of expressions the type of their first value.
class SqliteCursor : public Cursor {
 public:
  /// Shares the connection, so that a cursor may outlive its store. `equals`: other rows are passed over.
  SqliteCursor(std::shared_ptr<Database> database, Database::Statement statement, const Equals& equals = {});

  const std::vector<TableColumn>& columns() const override { return columns_; }
  bool next() override;
  Value at(int column) const override;
  int64_t scanned() const override;

 private:
  struct Cell {
    Value value;
    std::string text;
  };

  bool step();
  void infer(std::vector<int> unknown);

  std::shared_ptr<Database> database_;
  Database::Statement statement_;
  std::vector<TableColumn> columns_;
  std::deque<std::vector<Cell>> ahead_;
  std::vector<std::pair<int, std::string>> equals_;
  int64_t at_ = -1;
  bool ended_ = false;
};

}  // namespace fewshop
