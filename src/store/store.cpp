#include "store/store.h"

#include <fmt/format.h>

#include "core/error.h"
#include "store/sqlite_store.h"

namespace fewshop {

const char* type_name(ColumnType type) {
  switch (type) {
    case ColumnType::kInteger:
      return "integer";
    case ColumnType::kReal:
      return "real";
    case ColumnType::kText:
      return "text";
    case ColumnType::kTime:
      return "time";
    case ColumnType::kBoolean:
      return "boolean";
  }
  return "text";
}

std::optional<ColumnType> type_from_name(std::string_view name) {
  for (const ColumnType type :
       {ColumnType::kInteger, ColumnType::kReal, ColumnType::kText, ColumnType::kTime, ColumnType::kBoolean})
    if (name == type_name(type)) return type;
  return std::nullopt;
}

int TableInfo::index_of(std::string_view column) const {
  for (size_t i = 0; i < columns.size(); ++i)
    if (columns[i].name == column) return static_cast<int>(i);
  return -1;
}

std::string Value::to_text() const {
  switch (kind) {
    case Kind::kNull:
      return {};
    case Kind::kInteger:
      return fmt::format("{}", integer);
    case Kind::kReal:
      // 3.0 and 3 are the same id; beyond 2^53 a double is no longer a whole number that anybody wrote.
      if (real == static_cast<double>(static_cast<int64_t>(real)) && real < 0x1p53 && real > -0x1p53)
        return fmt::format("{}", static_cast<int64_t>(real));
      return fmt::format("{}", real);
    case Kind::kText:
      return std::string(text);
  }
  return {};
}

bool Store::has_table(const std::string& name) {
  for (const auto& table : tables())
    if (table == name) return true;
  return false;
}

std::string database_path(const std::string& location) {
  constexpr std::string_view kSqlite = "sqlite://";
  std::string path = location.starts_with(kSqlite) ? location.substr(kSqlite.size()) : location;
  require(path.find("://") == std::string::npos, location,
          ": unknown kind of database; give the path of a SQLite file, as in --data shop.db");
  return path;
}

std::unique_ptr<Store> open_store(const std::string& location, Store::Access access, const StoreOptions& options) {
  return open_sqlite(database_path(location), access, options);
}

}  // namespace fewshop
