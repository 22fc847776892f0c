#include "store/sqlite_database.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>
#include <cstring>
#include <new>

#include "core/cancel.h"
#include "core/error.h"
#include "core/system_error.h"

namespace fewshop {
namespace {

// A cell, and so the result of randomblob() or of a concatenation, is at most this long.
constexpr int kMaxLength = 64 << 20;
// SQLite asks every so many virtual instructions (about a millisecond) whether the user pressed Ctrl-C.
constexpr int kInstructionsBetweenChecks = 10000;

int on_progress(void*) { return cancelled() ? 1 : 0; }

int on_busy(void* busy_ms, int calls) {
  constexpr int kWaitMs = 20;
  if (cancelled() || calls * kWaitMs >= *static_cast<int*>(busy_ms)) return 0;
  sqlite3_sleep(kWaitMs);
  return 1;
}

/// Allows what a query needs and nothing else.
int on_authorize(void* tables_read, int action, const char* first, const char* second, const char*, const char*) {
  switch (action) {
    case SQLITE_READ:
      if (tables_read && first) static_cast<std::set<std::string>*>(tables_read)->insert(first);
      return SQLITE_OK;
    case SQLITE_SELECT:
    case SQLITE_RECURSIVE:
      return SQLITE_OK;
    case SQLITE_FUNCTION:
      return second && sqlite3_stricmp(second, "load_extension") == 0 ? SQLITE_DENY : SQLITE_OK;
    case SQLITE_UPDATE:
      // What declaring json_each() asks for. A statement that really updates the schema is refused all the same: it
      // does not only read, and the connection is DEFENSIVE.
      return first && sqlite3_stricmp(first, "sqlite_master") == 0 ? SQLITE_OK : SQLITE_DENY;
    default:
      return SQLITE_DENY;
  }
}

/// Whether only blanks, comments and semicolons are left.
bool is_blank_sql(const char* sql) {
  for (;;) {
    while (*sql && std::strchr(" \t\r\n\f;", *sql)) ++sql;
    if (sql[0] == '-' && sql[1] == '-') {
      while (*sql && *sql != '\n') ++sql;
    } else if (sql[0] == '/' && sql[1] == '*') {
      const char* end = std::strstr(sql + 2, "*/");
      sql = end ? end + 2 : sql + std::strlen(sql);
    } else {
      return *sql == 0;
    }
  }
}

std::string percent_encoded(const std::string& path) {
  std::string encoded;
  for (const unsigned char c : path) {
    if (std::isalnum(c) || std::strchr("/._-", c))
      encoded += static_cast<char>(c);
    else
      encoded += fmt::format("%{:02X}", c);
  }
  return encoded;
}

/// Bytes of a file, 0 where there is none.
int64_t size_of(const std::string& path) {
  struct stat status = {};
  return ::stat(path.c_str(), &status) == 0 ? status.st_size : 0;
}

/// The statement as a place in a message: on one line, and not all of it.
std::string shortened(const std::string& sql) {
  std::string text;
  for (const char c : sql.substr(0, 100)) text += (c == '\n' || c == '\t' || c == '\r') ? ' ' : c;
  return sql.size() > 100 ? text + " ..." : text;
}

}  // namespace

std::string quote_name(std::string_view name) {
  std::string quoted = "\"";
  for (const char c : name) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

std::string quote_text(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? "''" : std::string(1, c);
  return quoted + "'";
}

Database::Database(std::string path, Store::Access access, DatabaseOptions options)
    : path_(std::move(path)), access_(access), options_(std::move(options)) {
  check_file(access);
  const bool reading = access == Store::Access::kRead;
  const int flags = reading ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  try {
    open(flags, false);
    // Nothing is read before the first statement: this is where a file that is no database shows.
    int status = sqlite3_exec(handle_, "select count(*) from sqlite_master", nullptr, nullptr, nullptr);
    const bool no_room = (status & 0xff) == SQLITE_CANTOPEN || status == SQLITE_IOERR_SHMSIZE;
    if (reading && no_room && size_of(path_ + "-wal") == 0) {
      // A write-ahead log needs files beside the database, which a read-only folder does not allow and a full disk has
      // no room for; with nothing in the log nobody is writing, and the file can be read as it lies.
      sqlite3_close_v2(handle_);
      handle_ = nullptr;
      open(flags, true);
      status = sqlite3_exec(handle_, "select count(*) from sqlite_master", nullptr, nullptr, nullptr);
    }
    if (status != SQLITE_OK) fail(status, path_);
    if (reading) {
      exec("pragma query_only = 1");
    } else {
      // A file that cannot have a log (some network disks) keeps its journal mode, which is as safe.
      exec("pragma journal_mode = wal");
      exec("pragma synchronous = full");
      // Replacing a table must not fail because some view mentions it.
      exec("pragma legacy_alter_table = on");
    }
    sqlite3_limit(handle_, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_limit(handle_, SQLITE_LIMIT_LENGTH, kMaxLength);
  } catch (...) {
    close();
    throw;
  }
}

Database::~Database() { close(); }

void Database::close() {
  if (!handle_) return;
  const bool remove = created_ && unused();
  sqlite3_close_v2(handle_);
  handle_ = nullptr;
  if (access_ == Store::Access::kRead && !options_.served) tidy();
  created_ = false;
  if (!remove) return;
  for (const char* suffix : {"", "-wal", "-shm", "-journal"}) ::unlink((path_ + suffix).c_str());
}

/// Whether nothing is in the database and nobody else has it open: only a sole connection can leave the write-ahead
/// log. One that comes in between is told by SQLite that its file has moved.
bool Database::unused() {
  options_.busy_ms = 0;
  int tables = 0;
  const auto count = [](void* out, int, char** values, char**) {
    *static_cast<int*>(out) = std::atoi(values[0]);
    return 0;
  };
  if (sqlite3_exec(handle_, "pragma journal_mode = delete", nullptr, nullptr, nullptr) != SQLITE_OK) return false;
  const int status = sqlite3_exec(handle_, "select count(*) from sqlite_master", count, &tables, nullptr);
  return status == SQLITE_OK && tables == 0;
}

/// A reader has to make the files of the write-ahead log, but may not remove them: a moment's writer does, if nobody
/// else uses the database.
void Database::tidy() const {
  struct stat log = {};
  if (::stat((path_ + "-wal").c_str(), &log) != 0 || log.st_size != 0) return;
  sqlite3* writer = nullptr;
  const std::string name = path_.starts_with('/') ? path_ : "./" + path_;
  if (sqlite3_open_v2(name.c_str(), &writer, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr) == SQLITE_OK)
    sqlite3_exec(writer, "select count(*) from sqlite_master", nullptr, nullptr, nullptr);
  sqlite3_close_v2(writer);
}

void Database::check_file(Store::Access access) {
  struct stat status = {};
  require(!path_.empty(), "database: the path is empty; give one, as in --data shop.db");
  if (::stat(path_.c_str(), &status) != 0) {
    const int error = errno;
    if (access == Store::Access::kRead && error == ENOENT)
      throw InvalidInput(path_ + ": no such database; make one with 'fewshop import ... --into " + path_ + "'");
    if (!is_about_the_name(error)) throw Failure(path_ + ": cannot be opened: " + std::strerror(error));
    require(error == ENOENT, path_, ": cannot be opened: ", std::strerror(error));
    // Of two programs that make it at once one has made it.
    const int file = ::open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    created_ = file >= 0;
    if (created_) ::close(file);
    return;
  }
  require(!S_ISDIR(status.st_mode), path_, ": expected a database file, got a directory");
  require(S_ISREG(status.st_mode), path_, ": expected a database file, got a pipe or a device");
}

void Database::open(int flags, bool immutable) {
  const std::string name = immutable ? "file:" + percent_encoded(path_) + "?immutable=1" : path_;
  // A relative name that begins with "file:" would be read as a URI: "./" keeps it a path.
  const std::string safe = immutable || path_.starts_with('/') ? name : "./" + name;
  const int status =
      sqlite3_open_v2(safe.c_str(), &handle_, flags | SQLITE_OPEN_NOMUTEX | (immutable ? SQLITE_OPEN_URI : 0),
                      options_.vfs.empty() ? nullptr : options_.vfs.c_str());
  if (status != SQLITE_OK) fail(status, path_);
  sqlite3_extended_result_codes(handle_, 1);
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, nullptr);
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);
  if (options_.served) {
    // A server that is told to end still writes what it has accepted.
    sqlite3_busy_timeout(handle_, options_.busy_ms);
    return;
  }
  sqlite3_busy_handler(handle_, on_busy, &options_.busy_ms);
  sqlite3_progress_handler(handle_, kInstructionsBetweenChecks, on_progress, nullptr);
}

void Database::set_busy_ms(int ms) {
  options_.busy_ms = ms;
  if (options_.served) sqlite3_busy_timeout(handle_, ms);
}

void Database::exec(const std::string& sql) {
  const int status = sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
  if (status != SQLITE_OK) fail(status, path_);
}

Database::Statement Database::prepare(const std::string& sql) {
  sqlite3_stmt* statement = nullptr;
  const int status = sqlite3_prepare_v2(handle_, sql.c_str(), static_cast<int>(sql.size()), &statement, nullptr);
  if (status != SQLITE_OK) fail(status, path_);
  return {statement, sqlite3_finalize};
}

Database::Statement Database::prepare_locked(const std::string& sql, std::set<std::string>* tables_read) {
  require(sql.find('\0') == std::string::npos, "sql: contains a zero byte");
  const std::string place = "sql '" + shortened(sql) + "'";
  sqlite3_stmt* statement = nullptr;
  const char* tail = nullptr;
  sqlite3_set_authorizer(handle_, on_authorize, tables_read);
  const int status = sqlite3_prepare_v2(handle_, sql.c_str(), static_cast<int>(sql.size()) + 1, &statement, &tail);
  Statement owner(statement, sqlite3_finalize);
  std::string message = status == SQLITE_OK ? "" : sqlite3_errmsg(handle_);
  sqlite3_set_authorizer(handle_, nullptr, nullptr);
  if ((status & 0xff) == SQLITE_AUTH)
    throw InvalidInput(place + ": only a query that reads tables is allowed here: a select, also with 'with' (" +
                       message + ")");
  if ((status & 0xff) == SQLITE_ERROR) throw InvalidInput(place + ": " + message);
  if (status != SQLITE_OK) fail(status, place);
  require(statement != nullptr, "sql: expected a select statement, got nothing");
  require(is_blank_sql(tail), place, ": expected one statement, got more after its end");
  // Some statements pass the authorizer and write all the same ("vacuum into 'file'").
  require(sqlite3_stmt_readonly(statement) && sqlite3_column_count(statement) > 0, place,
          ": only a query that reads tables is allowed here: a select, also with 'with'");
  return owner;
}

bool Database::step(sqlite3_stmt* statement) {
  const int status = sqlite3_step(statement);
  if (status == SQLITE_ROW) return true;
  if (status == SQLITE_DONE) return false;
  const char* sql = sqlite3_sql(statement);
  fail(status, (status & 0xff) == SQLITE_ERROR && sql ? "sql '" + shortened(sql) + "'" : path_);
}

void Database::fail(int status, const std::string& place) const {
  const std::string message = handle_ ? sqlite3_errmsg(handle_) : sqlite3_errstr(status);
  switch (status & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      throw Failure(
          fmt::format("{}: the database is locked by another program (waited {} ms); end that program or "
                      "wait until it is done, then run this again",
                      place, options_.busy_ms));
    case SQLITE_FULL:
      throw Failure(path_ + ": the disk is full; nothing was changed; free some space and run this again");
    case SQLITE_IOERR:
      if (status == SQLITE_IOERR_WRITE || status == SQLITE_IOERR_FSYNC || status == SQLITE_IOERR_TRUNCATE ||
          status == SQLITE_IOERR_SHMSIZE)
        throw Failure(
            fmt::format("{}: cannot be written ({}): the disk is full, a size limit is reached, or the disk "
                        "fails; nothing was changed",
                        path_, std::strerror(sqlite3_system_errno(handle_))));
      throw Failure(fmt::format("{}: {} ({})", path_, message, std::strerror(sqlite3_system_errno(handle_))));
    case SQLITE_INTERRUPT:
      throw Interrupted();
    case SQLITE_NOMEM:
      throw std::bad_alloc();
    case SQLITE_NOTADB:
      throw InvalidInput(path_ + ": not a SQLite database; give one that 'fewshop import' made");
    case SQLITE_CORRUPT:
      throw InvalidInput(path_ + ": the database is damaged (" + message + "); import the data again into a new file");
    case SQLITE_CANTOPEN: {
      const int error = handle_ ? sqlite3_system_errno(handle_) : 0;
      if (error != 0 && !is_about_the_name(error)) throw Failure(path_ + ": cannot be opened: " + std::strerror(error));
      throw InvalidInput(path_ + ": cannot be opened as a database (" + std::strerror(error) +
                         "); check that the folder exists and may be written");
    }
    case SQLITE_PERM:
    case SQLITE_READONLY:
      throw InvalidInput(path_ + ": may not be written; check its permissions and those of its folder");
    case SQLITE_TOOBIG:
      throw InvalidInput(fmt::format("{}: a value is longer than {} MiB", place, kMaxLength >> 20));
    default:
      throw InvalidInput(place + ": " + message);
  }
}

}  // namespace fewshop
