#include "store/connection.h"

#include "core/error.h"
#include "store/event.h"

namespace fewshop {

Connection::Query Connection::query(const std::string& sql) {
  auto found = statements_.find(sql);
  if (found == statements_.end()) found = statements_.emplace(sql, database_.prepare(sql)).first;
  return {database_, found->second.get()};
}

Connection::Query::~Query() {
  if (!statement_) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

Connection::Query& Connection::Query::add(std::string_view text) & {
  // The text outlives the run: parameters are the caller's.
  if (!text.empty() &&
      sqlite3_bind_text64(statement_, bound_ + 1, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8) != SQLITE_OK)
    throw InvalidInput("a text is too long for the database");
  ++bound_;
  return *this;
}

Connection::Query& Connection::Query::add(int64_t number) & {
  sqlite3_bind_int64(statement_, ++bound_, number);
  return *this;
}

Connection::Query& Connection::Query::add(double number) & {
  ++bound_;
  if (given(number)) sqlite3_bind_double(statement_, bound_, number);
  return *this;
}

Connection::Query& Connection::Query::add_blob(std::string_view bytes) {
  if (sqlite3_bind_blob64(statement_, ++bound_, bytes.data(), bytes.size(), SQLITE_TRANSIENT) != SQLITE_OK)
    throw InvalidInput("a batch of events is too long for the database");
  return *this;
}

int64_t Connection::Query::run() {
  while (step()) {
  }
  return sqlite3_changes64(database_->handle());
}

std::string_view Connection::Query::view(int column) const {
  const auto* data = static_cast<const char*>(sqlite3_column_blob(statement_, column));
  return {data ? data : "", static_cast<size_t>(sqlite3_column_bytes(statement_, column))};
}

double Connection::Query::real(int column) const {
  return null(column) ? kNotGiven : sqlite3_column_double(statement_, column);
}

}  // namespace fewshop
