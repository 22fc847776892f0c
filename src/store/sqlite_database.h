#pragma once

#include <sqlite3.h>

#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "store/store.h"

namespace fewshop {

/// "name" with quotes doubled, as SQL wants an identifier; 'text' likewise for a literal.
std::string quote_name(std::string_view name);
std::string quote_text(std::string_view text);

struct DatabaseOptions {
  int busy_ms = 5000;
  std::string vfs;      // "" = SQLite's default
  bool served = false;  // one of several of a server: Ctrl-C ends no statement, closing leaves the log as it is
};

/// One SQLite connection with its locks set and its errors turned into ours.
class Database {
 public:
  Database(std::string path, Store::Access access, DatabaseOptions options);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  const std::string& path() const { return path_; }
  sqlite3* handle() const { return handle_; }

  void exec(const std::string& sql);

  /// How long the next statements wait for a lock.
  void set_busy_ms(int ms);

  /// Our own SQL.
  using Statement = std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)>;
  Statement prepare(const std::string& sql);

  /// A user's SQL: exactly one statement that only reads. `tables_read`, if given, receives the tables it reads.
  Statement prepare_locked(const std::string& sql, std::set<std::string>* tables_read = nullptr);

  /// Steps; true when there is a row.
  bool step(sqlite3_stmt* statement);

  /// Throws what the SQLite status stands for. `place` begins the message.
  [[noreturn]] void fail(int status, const std::string& place) const;

  /// The file did not exist before: unless committed() is called, closing removes it again.
  void keep() { created_ = false; }
  bool created() const { return created_; }

 private:
  void open(int flags, bool immutable);
  void check_file(Store::Access access);
  void close();
  void tidy() const;
  bool unused();

  std::string path_;
  sqlite3* handle_ = nullptr;
  Store::Access access_;
  DatabaseOptions options_;
  bool created_ = false;
};

}  // namespace fewshop
