// Users, items, joins, refusals and settings of ShopReader.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "core/error.h"
#include "store/record_row.h"
#include "store/removed_rows.h"
#include "store/shop_reader.h"

namespace fewshop {
namespace {

ShopStore::Columns columns_of_row(sqlite3_stmt* row) {
  ShopStore::Columns columns;
  // After the step: a column added meanwhile is there, too.
  for (int c = 0; c < sqlite3_column_count(row); ++c) {
    auto& text = columns[sqlite3_column_name(row, c)];
    switch (sqlite3_column_type(row, c)) {
      case SQLITE_NULL:
        break;
      case SQLITE_INTEGER:
        text = Value::of(static_cast<int64_t>(sqlite3_column_int64(row, c))).to_text();
        break;
      case SQLITE_FLOAT:
        text = Value::of(sqlite3_column_double(row, c)).to_text();
        break;
      default:
        text.emplace(static_cast<const char*>(sqlite3_column_blob(row, c))
                         ? static_cast<const char*>(sqlite3_column_blob(row, c))
                         : "",
                     static_cast<size_t>(sqlite3_column_bytes(row, c)));
    }
  }
  return columns;
}

/// The first n of the records, one more of which were asked for: that says whether there is a next page.
template <class Record>
Page<Record> page_of(std::vector<Record> records, int64_t n, std::string Record::*id) {
  Page<Record> page{std::move(records), ""};
  if (std::ssize(page.records) <= n) return page;
  page.records.resize(static_cast<size_t>(n));
  page.cursor = page.records.back().*id;
  return page;
}

/// Those of the table, and those whom only the queue names yet; both in the order of their ids.
std::vector<UserRecord> merged(std::vector<UserRecord> stored, const std::vector<std::string>& queued) {
  std::vector<UserRecord> users;
  auto next = stored.begin();
  for (const std::string& id : queued) {
    while (next != stored.end() && next->user_id < id) users.push_back(std::move(*next++));
    if (next == stored.end() || next->user_id != id) users.push_back({id, nlohmann::json::object(), ""});
  }
  std::move(next, stored.end(), std::back_inserter(users));
  return users;
}

}  // namespace

/// Somebody who was named by an event has a record once the event is indexed, and is known before.
std::optional<UserRecord> ShopReader::user(const std::string& user_id) {
  const bool queued = !user_id.empty() && queue_.names(user_id);
  auto reader = pool_.take();
  auto record = read_user(*reader, user_id);
  if (!record && queued) record = UserRecord{user_id, nlohmann::json::object(), ""};
  return record;
}

std::optional<ItemRecord> ShopReader::item(const std::string& item_id) {
  auto reader = pool_.take();
  return read_item(*reader, item_id);
}

Page<UserRecord> ShopReader::users(int64_t n, const std::string& cursor) {
  if (n <= 0) return {};
  const std::vector<std::string> queued = queue_.users_after(cursor, n + 1);
  std::vector<UserRecord> stored;
  {
    auto reader = pool_.take();
    auto query = reader->query(
        fmt::format("select {} from users where user_id > coalesce(?, '') order by user_id limit ?", kUserColumns));
    query.add(cursor).add(n + 1);
    while (query.step()) stored.push_back(user_of(query));
  }
  return page_of(merged(std::move(stored), queued), n, &UserRecord::user_id);
}

Page<ItemRecord> ShopReader::items(int64_t n, const std::string& cursor, const std::string& search) {
  if (n <= 0) return {};
  auto reader = pool_.take();
  auto query = reader->query(
      fmt::format("select {} from items where item_id > coalesce(?1, '') and (?2 is null or instr(lower(item_id), "
                  "lower(?2)) > 0 or instr(lower(comment), lower(?2)) > 0 or instr(lower(labels), lower(?2)) > 0) "
                  "order by item_id limit ?3",
                  kItemColumns));
  query.add(cursor).add(search).add(n + 1);
  std::vector<ItemRecord> items;
  while (query.step()) items.push_back(item_of(query));
  return page_of(std::move(items), n, &ItemRecord::item_id);
}

void ShopReader::each_item(const std::function<void(const ItemRecord&)>& use) {
  auto reader = pool_.take();
  auto query =
      reader->query(fmt::format("select {} from items where item_id is not null order by rowid", kItemColumns));
  while (query.step()) use(item_of(query));
}

std::optional<ShopStore::Columns> ShopReader::columns(const char* table, const char* id_column, const std::string& id) {
  auto reader = pool_.take();
  auto query = reader->query(fmt::format("select * from {} where {} = ?", table, id_column));
  query.add(id);
  if (!query.step()) return std::nullopt;
  return columns_of_row(query.statement());
}

void ShopReader::each_item_columns(const std::function<void(const std::string&, const ShopStore::Columns&)>& use) {
  auto reader = pool_.take();
  auto query = reader->query("select * from items where item_id is not null order by rowid");
  while (query.step()) {
    const auto columns = columns_of_row(query.statement());
    for (const auto& [name, text] : columns)
      if (sqlite3_stricmp(name.c_str(), "item_id") == 0) use(text.value_or(""), columns);
  }
}

std::map<std::string, int64_t> ShopReader::rows_elsewhere(const std::string& user_id) {
  std::map<std::string, int64_t> rows;
  auto reader = pool_.take();
  std::vector<std::string> tables;
  {
    auto query = reader->query(
        "select m.name from sqlite_master m, pragma_table_info(m.name) c where m.type = 'table' and c.name = 'user_id' "
        "collate nocase and m.name not like 'fewshop\\_%' escape '\\' and lower(m.name) not in ('users', 'events', "
        "'events_future', 'events_withheld') order by m.name");
    while (query.step()) tables.push_back(query.text(0));
  }
  for (const auto& table : tables) {
    // Imported ids may be numbers.
    try {
      auto query = reader->query("select count(*) from " + quote_name(table) + " where cast(user_id as text) = ?");
      query.add(user_id);
      if (query.step() && query.integer(0) > 0) rows[table] = query.integer(0);
    } catch (const Error&) {
      rows[table] = -1;  // a virtual table without its module, say
    }
  }
  return rows;
}

std::map<std::string, std::string> ShopReader::joins() {
  std::map<std::string, std::string> joins;
  auto reader = pool_.take();
  auto query = reader->query("select client_id, user_id from fewshop_joins");
  while (query.step()) joins.emplace(query.text(0), query.text(1));
  return joins;
}

std::vector<std::string> ShopReader::refusals() {
  std::vector<std::string> refusals;
  auto reader = pool_.take();
  auto query = reader->query("select who from fewshop_refusals order by who");
  while (query.step()) refusals.push_back(query.text(0));
  return refusals;
}

std::optional<nlohmann::json> ShopReader::setting(const std::string& name) {
  auto reader = pool_.take();
  auto query = reader->query("select value from fewshop_settings where name = ?");
  query.add(name);
  if (!query.step()) return std::nullopt;
  return nlohmann::json::parse(query.view(0));
}

int64_t ShopReader::rows_removed_since(Micros time) {
  auto reader = pool_.take();
  return removed_rows_since(*reader, time);
}

std::map<std::string, nlohmann::json> ShopReader::settings(const std::string& prefix) {
  std::map<std::string, nlohmann::json> settings;
  auto reader = pool_.take();
  auto query = reader->query("select name, value from fewshop_settings where substr(name, 1, length(?1)) = ?1");
  if (prefix.empty()) {
    auto all = reader->query("select name, value from fewshop_settings");
    while (all.step()) settings.emplace(all.text(0), nlohmann::json::parse(all.view(1)));
    return settings;
  }
  query.add(prefix);
  while (query.step()) settings.emplace(query.text(0), nlohmann::json::parse(query.view(1)));
  return settings;
}

}  // namespace fewshop
