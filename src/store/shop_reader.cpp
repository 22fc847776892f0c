// Events of ShopReader; records and settings are in shop_reader_records.cpp, feedback in shop_feedback.cpp.
#include "store/shop_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "store/event_tables.h"
#include "store/removed_ids.h"

namespace fewshop {
namespace {

constexpr const char* kHasEvent =
    "select 1 from events where event_id = ?1 union all select 1 from events_future where event_id = ?1 union all "
    "select 1 from events_withheld where event_id = ?1 limit 1";

bool in_tables(Connection& connection, const std::string& event_id) {
  auto query = connection.query(kHasEvent);
  query.add(event_id);
  return query.step() || is_removed_id(connection, event_id);
}

/// Rows of one person from several places, to be put in order: by time, then by the order in which they were accepted.
/// Those of the tables are added first, those of the queue afterwards.
class RowsFound {
 public:
  /// Columns of rows_sql().
  void add(Connection::Query& query) {
    while (query.step()) rows_.push_back({read_row(query), 0, query.integer(15)});
  }
  void add(EventRow row) { rows_.push_back({std::move(row), 1, std::ssize(rows_)}); }

  std::vector<EventRow> latest(int64_t most) {
    sort();
    return take(std::max<int64_t>(0, std::ssize(rows_) - most), std::ssize(rows_));
  }
  std::vector<EventRow> first(int64_t most) {
    sort();
    return take(0, std::min(most, std::ssize(rows_)));
  }

 private:
  struct Found {
    EventRow row;
    int source;  // tables before the queue
    int64_t number;
  };

  void sort() {
    const auto key = [](const Found& one) { return std::make_tuple(one.row.time, one.source, one.number); };
    std::sort(rows_.begin(), rows_.end(), [&](const Found& a, const Found& b) { return key(a) < key(b); });
  }
  std::vector<EventRow> take(int64_t begin, int64_t end) {
    std::vector<EventRow> rows;
    rows.reserve(end - begin);
    for (int64_t i = begin; i < end; ++i) rows.push_back(std::move(rows_[i].row));
    return rows;
  }

  std::vector<Found> rows_;
};

}  // namespace

void ShopReader::drop_moved(Connection& connection, std::vector<QueuedRow>& rows) {
  if (rows.empty()) return;
  int64_t first = 0;
  bool empty = true;
  {
    auto query = connection.query("select min(batch) from fewshop_queue");
    if (query.step() && !query.null(0)) {
      empty = false;
      first = query.integer(0);
    }
  }
  // Moved since, or an old event that came again: index() lets it fall out.
  std::erase_if(rows, [&](const QueuedRow& row) {
    return empty || row.batch < first || in_tables(connection, row.row.event_id);
  });
}

bool ShopReader::has_event(const std::string& event_id) {
  if (queue_.has(event_id)) return true;
  auto reader = pool_.take();
  return in_tables(*reader, event_id);
}

bool ShopReader::counts_row(const std::string& event_id, const std::string& item_id) {
  if (queue_.has(event_id)) {
    const auto rows = queue_.all([&](const Event& event) { return event.event_id == event_id; });
    if (std::any_of(rows.begin(), rows.end(), [&](const QueuedRow& row) { return row.row.item_id == item_id; }))
      return true;
  }
  auto reader = pool_.take();
  for (const char* table : {"events", "events_future"}) {
    auto query = reader->query(fmt::format("select 1 from {} where event_id = ? and item_id = ? limit 1", table));
    query.add(event_id).add(item_id);
    if (query.step()) return true;
  }
  return false;
}

void ShopReader::each_event_id(int64_t at_most, const std::function<void(std::string_view)>& use) {
  const auto queued = queue_.latest_ids(at_most);
  for (const auto& id : queued) use(id);
  auto left = at_most - static_cast<int64_t>(queued.size());
  if (left <= 0) return;
  auto reader = pool_.take();
  reader.snapshot();
  // What moved since was given already: ids may come twice, none is left out.
  for (const char* table : {"events_future", "events_withheld", "events"}) {
    auto query = reader->query(fmt::format("select event_id from {} order by rowid desc", table));
    std::string before;
    while (left > 0 && query.step()) {
      if (query.view(0) == before) continue;
      before = query.text(0);
      use(before);
      --left;
    }
  }
}

std::vector<uint64_t> ShopReader::removed_id_hashes() {
  auto reader = pool_.take();
  return fewshop::removed_id_hashes(*reader);
}

std::vector<EventRow> ShopReader::history(const std::string& user_id, const std::string& client_id, int64_t at_most,
                                          Micros until) {
  if (at_most <= 0 || (user_id.empty() && client_id.empty())) return {};
  RowsFound found;
  auto queued = queue_.of(user_id, client_id, until);
  auto reader = pool_.take();
  reader.snapshot();
  drop_moved(*reader, queued);
  for (const char* table : {"events", "events_future"}) {
    auto query = reader->query(rows_sql({.table = table, .guest = user_id.empty()}));
    query.add(user_id.empty() ? client_id : user_id).add(until).add(at_most);
    found.add(query);
  }
  for (QueuedRow& row : queued) found.add(std::move(row.row));
  return found.latest(at_most);
}

std::vector<EventRow> ShopReader::served_rows(const std::string& user_id, const std::string& client_id,
                                              const RowsWanted& wanted) {
  if (wanted.most <= 0 || (user_id.empty() && client_id.empty())) return {};
  RowsFound past, future;
  auto queued = queue_.of(user_id, client_id, ShopStore::kAllTime);
  std::erase_if(queued, [&](const QueuedRow& one) {
    return one.row.item_id.empty() || (wanted.kinds && std::find(wanted.kinds->begin(), wanted.kinds->end(),
                                                                 one.row.event) == wanted.kinds->end());
  });
  auto reader = pool_.take();
  reader.snapshot();
  drop_moved(*reader, queued);
  std::vector<const char*> tables = {"events"};
  if (reader->query("select 1 from events_future limit 1").step()) tables.push_back("events_future");
  for (const char* table : tables)
    for (const bool after : {false, true}) {
      const std::string sql = rows_sql({.table = table,
                                        .guest = user_id.empty(),
                                        .one_kind = wanted.kinds.has_value(),
                                        .after = after,
                                        .with_item = true});
      const auto read = [&](const std::string* kind) {
        auto query = reader->query(sql);
        query.add(user_id.empty() ? client_id : user_id);
        if (kind) query.add(*kind);
        query.add(wanted.now).add(wanted.most);
        (after ? future : past).add(query);
      };
      if (!wanted.kinds) read(nullptr);
      for (const std::string& kind : wanted.kinds.value_or(std::vector<std::string>())) read(&kind);
    }
  for (QueuedRow& one : queued) (one.row.time > wanted.now ? future : past).add(std::move(one.row));
  std::vector<EventRow> rows = past.latest(wanted.most);
  for (EventRow& row : future.first(wanted.most)) rows.push_back(std::move(row));
  return rows;
}

void ShopReader::each_event(const std::function<void(const EventRow&)>& use) {
  auto queued = queue_.all([](const Event&) { return true; });
  auto reader = pool_.take();
  reader.snapshot();
  drop_moved(*reader, queued);
  for (const char* table : {"events", "events_future"}) {
    auto query = reader->query(fmt::format("select {} from {} order by rowid", kRowColumns, table));
    while (query.step()) use(read_row(query));
  }
  for (const QueuedRow& row : queued) use(row.row);
}

std::vector<EventRow> ShopReader::withheld(const std::string& user_id) {
  std::vector<EventRow> rows;
  if (user_id.empty()) return rows;
  auto reader = pool_.take();
  auto query =
      reader->query(fmt::format("select {} from events_withheld where user_id = ? order by rowid", kRowColumns));
  query.add(user_id);
  while (query.step()) rows.push_back(read_row(query));
  return rows;
}

bool ShopReader::scan_rows(ShopStore::Place& place, int64_t at_most,
                           const std::function<bool(std::string_view event, Micros time)>& wanted,
                           std::vector<OldRow>& found) {
  auto reader = pool_.take();
  while (place.table < static_cast<int>(std::size(EventTables::kAll))) {
    auto query =
        reader->query(fmt::format("select rowid, event, time, event_id, user_id, client_id from {} where rowid > ? and "
                                  "time is not null order by rowid "
                                  "limit ?",
                                  EventTables::kAll[place.table]));
    query.add(place.row).add(at_most);
    int64_t looked = 0;
    while (query.step()) {
      ++looked;
      place.row = query.integer(0);
      if (wanted(query.view(1), query.integer(2)))
        found.push_back({place.table, place.row, query.text(3), query.text(4), query.text(5)});
    }
    if (looked == at_most) return true;
    at_most -= looked;
    ++place.table;
    place.row = 0;
  }
  return false;
}

ShopStore::Counts ShopReader::counts() {
  ShopStore::Counts counts;
  counts.events = queue_.size();
  auto reader = pool_.take();
  const auto count = [&](const char* table) {
    auto query = reader->query(fmt::format("select count(*) from {}", table));
    return query.step() ? query.integer(0) : 0;
  };
  counts.users = count("users");
  counts.items = count("items");
  for (const char* table : EventTables::kAll) counts.events += count(table);
  return counts;
}

}  // namespace fewshop
