#include "store/event_tables.h"

#include <fmt/format.h>

#include <algorithm>

#include "store/event_codec.h"
#include "store/removed_ids.h"

namespace fewshop {
namespace {

constexpr const char* kRefused =
    "(exists (select 1 from fewshop_refusals where who = 'u:' || user_id) or "
    "(coalesce(guest, 0) = 1 and exists (select 1 from fewshop_refusals where who = 'c:' || client_id)))";

}  // namespace

EventRow read_row(const Connection::Query& query, int first) {
  EventRow row;
  row.event_id = query.text(first);
  row.position = static_cast<int32_t>(query.integer(first + 1));
  row.time = query.integer(first + 2);
  row.event = query.text(first + 3);
  row.user_id = query.text(first + 4);
  row.client_id = query.text(first + 5);
  row.session_id = query.text(first + 6);
  row.item_id = query.text(first + 7);
  row.quantity = query.real(first + 8);
  row.price = query.real(first + 9);
  row.value = query.real(first + 10);
  row.rating = query.real(first + 11);
  row.recommendation_id = query.text(first + 12);
  row.extra = query.text(first + 13);
  row.guest = query.integer(first + 14) != 0;
  return row;
}

std::string rows_sql(const RowsOfPerson& rows) {
  return fmt::format("select {}, rowid from {} where {}{} and time {} ?{} order by time{}, rowid{} limit ?",
                     kRowColumns, rows.table, rows.guest ? "client_id = ? and user_id is null" : "user_id = ?",
                     rows.one_kind ? " and event = ?" : "",
                     rows.after ? ">" : "<=", rows.with_item ? " and item_id is not null" : "",
                     rows.after ? "" : " desc", rows.after ? "" : " desc");
}

EventTables::EventTables(Connection& connection, std::string columns)
    : connection_(connection), columns_(std::move(columns)) {
  for (const char* table : kAll) {
    auto query = connection_.query(fmt::format("select max(rowid) from {}", table));
    if (query.step()) next_row_ = std::max(next_row_, query.integer(0) + 1);
  }
  any_removed_ = has_removed_ids(connection_);
}

bool EventTables::has(const std::string& event_id) {
  auto query = connection_.query(
      "select 1 from events where event_id = ?1 union all select 1 from events_future where event_id = ?1 union all "
      "select 1 from events_withheld where event_id = ?1 limit 1");
  query.add(event_id);
  return query.step() || (any_removed_ && is_removed_id(connection_, event_id));
}

bool EventTables::insert(const Event& event, Micros now) {
  if (has(event.event_id)) return false;
  static const std::string kInsert[2] = {
      fmt::format("insert into events (rowid, {}) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                  kRowColumns),
      fmt::format("insert into events_future (rowid, {}) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                  kRowColumns)};
  const auto name = [&](std::unordered_set<std::string>& named, const std::string& id, const char* sql) {
    if (!id.empty() && named.insert(id).second) connection_.query(sql).add(id).run();
  };
  name(users_, event.user_id, "insert or ignore into users (user_id) values (?)");
  for (size_t position = 0; position < row_count(event); ++position) {
    const EventRow row = row_of(event, position);
    name(items_, row.item_id, "insert or ignore into items (item_id) values (?)");
    connection_.query(kInsert[event.time > now ? 1 : 0])
        .add(next_row_++)
        .add(row.event_id)
        .add(int64_t{row.position})
        .add(row.time)
        .add(row.event)
        .add(row.user_id)
        .add(row.client_id)
        .add(row.session_id)
        .add(row.item_id)
        .add(row.quantity)
        .add(row.price)
        .add(row.value)
        .add(row.rating)
        .add(row.recommendation_id)
        .add(row.extra)
        .add(int64_t{row.guest})
        .run();
  }
  return true;
}

int64_t EventTables::move(const std::string& from, const std::string& to, const std::string& condition,
                          const std::string& parameter, int64_t number) {
  // After a vacuum, or when the table was imported anew, another row may have the number; and the same event may have
  // come again while this row was away: then that one stays.
  connection_
      .query(fmt::format("insert or ignore into {1} (rowid, {2}) select case when exists (select 1 from {1} as t where "
                         "t.rowid = {0}.rowid) then null else rowid end, {2} from {0} where {3} order by rowid",
                         from, to, columns_, condition))
      .add(parameter)
      .add(number)
      .run();
  return connection_.query(fmt::format("delete from {} where {}", from, condition)).add(parameter).add(number).run();
}

int64_t EventTables::come_due(Micros now, int64_t at_most) {
  Micros until = now;
  {
    auto first = connection_.query("select min(time) from events_future");
    if (!first.step() || first.null(0) || first.integer(0) > now) return 0;
  }
  {
    // The rows of one event have one time: to cut at a time moves whole events.
    auto query = connection_.query("select time from events_future where time <= ? order by time limit 1 offset ?");
    query.add(now).add(at_most);
    if (query.step()) until = query.integer(0);
  }
  return move("events_future", "events", "time <= ?2", "", until);
}

int64_t EventTables::settle(const std::string& condition, const std::string& parameter, Micros now) {
  int64_t moved = 0;
  const std::string refused = condition + " and " + kRefused, granted = condition + " and not " + kRefused;
  for (const char* table : {"events", "events_future"}) moved += move(table, "events_withheld", refused, parameter, 0);
  moved += move("events_withheld", "events_future", granted + " and time > ?2", parameter, now);
  moved += move("events_withheld", "events", granted, parameter, 0);
  return moved;
}

}  // namespace fewshop
