#include "store/sqlite_cursor.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "core/text.h"

namespace fewshop {
namespace {

/// The type that a declared SQL type stands for, ours first, then by SQLite's rules of affinity.
std::optional<ColumnType> declared_type(const char* declared) {
  if (!declared) return std::nullopt;
  const std::string type = ascii_lower(declared);
  if (const auto ours = type_from_name(type)) return ours;
  const auto has = [&](const char* part) { return type.find(part) != std::string::npos; };
  if (has("int")) return ColumnType::kInteger;
  if (has("char") || has("clob") || has("text")) return ColumnType::kText;
  if (has("real") || has("floa") || has("doub")) return ColumnType::kReal;
  if (has("bool")) return ColumnType::kBoolean;
  return std::nullopt;  // numeric, date, blob or nothing: the values tell
}

/// The number that `text` stands for, if that number is written so: "3", not "03".
std::optional<Value> number_of(const std::string& text) {
  const char* end = text.data() + text.size();
  int64_t integer = 0;
  if (const auto [at, error] = std::from_chars(text.data(), end, integer); error == std::errc() && at == end)
    if (const Value value = Value::of(integer); value.to_text() == text) return value;
  double real = 0;
  if (const auto [at, error] = std::from_chars(text.data(), end, real); error == std::errc() && at == end)
    if (const Value value = Value::of(real); value.to_text() == text) return value;
  return std::nullopt;
}

}  // namespace

Value value_of(sqlite3_stmt* statement, int column) {
  switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER:
      return Value::of(static_cast<int64_t>(sqlite3_column_int64(statement, column)));
    case SQLITE_FLOAT:
      return Value::of(sqlite3_column_double(statement, column));
    case SQLITE_NULL:
      return Value::null();
    case SQLITE_TEXT: {
      const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement, column));
      return Value::of(std::string_view(data, sqlite3_column_bytes(statement, column)));
    }
    default: {
      const auto* data = static_cast<const char*>(sqlite3_column_blob(statement, column));
      return Value::of(std::string_view(data ? data : "", sqlite3_column_bytes(statement, column)));
    }
  }
}

std::string where_sql(const Equals& equals) {
  std::string sql;
  for (const auto& equal : equals) sql += (sql.empty() ? " where " : " and ") + quote_name(equal.first) + " in (?, ?)";
  return sql;
}

Database::Statement bound(Database::Statement statement, const Equals& equals) {
  int parameter = sqlite3_bind_parameter_count(statement.get()) - 2 * static_cast<int>(equals.size());
  for (const auto& equal : equals) {
    const std::string& text = equal.second;
    const auto bind_text = [&] {
      sqlite3_bind_text64(statement.get(), ++parameter, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
    };
    bind_text();
    const auto number = number_of(text);
    if (!number)
      bind_text();
    else if (number->kind == Value::Kind::kInteger)
      sqlite3_bind_int64(statement.get(), ++parameter, number->integer);
    else
      sqlite3_bind_double(statement.get(), ++parameter, number->real);
  }
  return statement;
}

SqliteCursor::SqliteCursor(std::shared_ptr<Database> database, Database::Statement statement, const Equals& equals)
    : database_(std::move(database)), statement_(std::move(statement)) {
  std::vector<int> unknown;
  for (int c = 0; c < sqlite3_column_count(statement_.get()); ++c) {
    const auto type = declared_type(sqlite3_column_decltype(statement_.get(), c));
    columns_.push_back({sqlite3_column_name(statement_.get(), c), type.value_or(ColumnType::kText)});
    if (!type) unknown.push_back(c);
  }
  for (const auto& [column, text] : equals)
    for (int c = 0; c < static_cast<int>(columns_.size()); ++c)
      if (columns_[c].name == column) {
        equals_.emplace_back(c, text);
        break;
      }
  infer(unknown);
}

bool SqliteCursor::next() {
  while (step())
    // SQL compares numbers, collations and affinities; ids are compared as text.
    if (std::all_of(equals_.begin(), equals_.end(),
                    [&](const auto& equal) { return at(equal.first).to_text() == equal.second; }))
      return true;
  return false;
}

Value SqliteCursor::at(int column) const {
  if (at_ < 0) return value_of(statement_.get(), column);
  const Cell& cell = ahead_[at_][column];
  Value value = cell.value;
  if (value.kind == Value::Kind::kText) value.text = cell.text;
  return value;
}

int64_t SqliteCursor::scanned() const {
  int64_t rows = 0;
  for (const int counter : {SQLITE_STMTSTATUS_FULLSCAN_STEP, SQLITE_STMTSTATUS_AUTOINDEX})
    rows += sqlite3_stmt_status(statement_.get(), counter, 0);
  return rows;
}

bool SqliteCursor::step() {
  if (at_ + 1 < static_cast<int64_t>(ahead_.size())) {
    ++at_;
    return true;
  }
  at_ = -1;
  ahead_.clear();
  if (ended_) return false;
  ended_ = !database_->step(statement_.get());
  return !ended_;
}

/// Reads ahead until every column without a declared type has shown a value. Running the statement twice instead
/// would compute a large aggregate twice.
void SqliteCursor::infer(std::vector<int> unknown) {
  constexpr size_t kMostRows = 1000;
  while (!unknown.empty() && ahead_.size() < kMostRows) {
    if (!database_->step(statement_.get())) {
      ended_ = true;
      return;
    }
    auto& row = ahead_.emplace_back(columns_.size());
    for (size_t c = 0; c < columns_.size(); ++c) {
      row[c].value = value_of(statement_.get(), static_cast<int>(c));
      row[c].text = row[c].value.text;
    }
    std::erase_if(unknown, [&](int c) {
      switch (row[c].value.kind) {
        case Value::Kind::kNull:
          return false;
        case Value::Kind::kInteger:
          columns_[c].type = ColumnType::kInteger;
          return true;
        case Value::Kind::kReal:
          columns_[c].type = ColumnType::kReal;
          return true;
        case Value::Kind::kText:
          return true;
      }
      return true;
    });
  }
}

}  // namespace fewshop
