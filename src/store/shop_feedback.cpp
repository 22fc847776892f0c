// Feedback as a view over events.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "core/error.h"
#include "store/event_tables.h"
#include "store/record_row.h"
#include "store/shop_reader.h"

namespace fewshop {
namespace {

using nlohmann::json;
using Key = std::tuple<std::string, std::string, std::string>;  // user, item, event

std::string cursor_of(const Key& key) { return json{std::get<0>(key), std::get<1>(key), std::get<2>(key)}.dump(); }

Key key_of(const std::string& cursor) {
  const json parts = json::parse(cursor, nullptr, false);
  require(parts.is_array() && parts.size() == 3 && parts[0].is_string() && parts[1].is_string() && parts[2].is_string(),
          "cursor: not one that a page of feedback gave");
  return {parts[0].get<std::string>(), parts[1].get<std::string>(), parts[2].get<std::string>()};
}

/// Adds one event's row to what is known of its feedback. Rows come in the order of acceptance.
void add(FeedbackRecord& record, const EventRow& row, bool first) {
  if (given(row.value)) record.value += row.value;
  if (!first && row.time < record.time) return;
  record.time = row.time;
  const json extra = labels_of(row.extra);
  record.labels = extra.value("labels", json());
  if (!record.labels.is_object() && !record.labels.is_array()) record.labels = json::object();
  record.comment = extra.contains("comment") && extra["comment"].is_string() ? extra["comment"].get<std::string>() : "";
}

}  // namespace

Page<FeedbackRecord> ShopReader::feedback(const std::string& event, const std::string& user_id,
                                          const std::string& item_id, int64_t n, const std::string& cursor) {
  Page<FeedbackRecord> page;
  if (n <= 0) return page;
  const Key after = cursor.empty() ? Key() : key_of(cursor);
  auto queued = queue_.all([&](const Event& one) {
    return !one.user_id.empty() && !one.items.empty() && (event.empty() || one.event == event) &&
           (user_id.empty() || one.user_id == user_id) &&
           (item_id.empty() || std::any_of(one.items.begin(), one.items.end(),
                                           [&](const EventItem& item) { return item.item_id == item_id; }));
  });
  auto reader = pool_.take();
  reader.snapshot();
  drop_moved(*reader, queued);

  std::map<Key, FeedbackRecord> records;
  const auto take = [&](const EventRow& row) {
    Key key(row.user_id, row.item_id, row.event);
    if (key <= after || row.item_id.empty() || (!item_id.empty() && row.item_id != item_id)) return;
    const auto [found, first] = records.try_emplace(key);
    if (first) {
      found->second.event = row.event;
      found->second.user_id = row.user_id;
      found->second.item_id = row.item_id;
    }
    add(found->second, row, first);
  };
  // All rows of one user after the other, in the order of the user ids, until there are enough: the key of a page
  // begins with the user, and no index gives the rows in the order of the whole key.
  const auto take_user = [&](const std::string& user) {
    for (const char* table : {"events", "events_future"}) {
      auto query = reader->query(fmt::format(
          "select {} from {} where user_id = ?1 and (?2 is null or event = ?2) and (?3 is null or item_id = "
          "?3) order by rowid",
          kRowColumns, table));
      query.add(user).add(event).add(item_id);
      while (query.step()) take(read_row(query));
    }
  };
  if (!user_id.empty()) {
    take_user(user_id);
  } else if (!item_id.empty()) {
    for (const char* table : {"events", "events_future"}) {
      auto query =
          reader->query(fmt::format("select {} from {} where item_id = ?1 and user_id is not null and (?2 is "
                                    "null or user_id >= ?2) and (?3 is null or event = ?3) order by user_id, rowid",
                                    kRowColumns, table));
      query.add(item_id).add(std::get<0>(after)).add(event);
      // Of each table no more is taken than a page has room for: whole users, the first by id.
      std::string user;
      size_t before = records.size();
      while (query.step()) {
        const EventRow row = read_row(query);
        if (row.user_id != user && static_cast<int64_t>(records.size() - before) > n) break;
        user = row.user_id;
        take(row);
      }
    }
  } else {
    std::string user = std::get<0>(after);
    if (!user.empty()) take_user(user);
    while (static_cast<int64_t>(records.size()) <= n) {
      auto query = reader->query(
          "select min(user_id) from (select min(user_id) as user_id from events where user_id > coalesce(?1, '') union "
          "all select min(user_id) from events_future where user_id > coalesce(?1, ''))");
      query.add(user);
      if (!query.step() || query.null(0)) break;
      user = query.text(0);
      take_user(user);
    }
  }
  for (const QueuedRow& row : queued) take(row.row);
  for (auto& [key, record] : records) {
    if (static_cast<int64_t>(page.records.size()) == n) {
      const FeedbackRecord& last = page.records.back();
      page.cursor = cursor_of({last.user_id, last.item_id, last.event});
      break;
    }
    page.records.push_back(std::move(record));
  }
  return page;
}

}  // namespace fewshop
