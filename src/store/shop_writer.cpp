#include "store/shop_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "store/event_codec.h"
#include "store/person_key.h"
#include "store/removed_ids.h"
#include "store/removed_rows.h"

namespace fewshop {

namespace {

/// Members of `extra` that say whose event it was, where it is to have no name: traits, and what stood around it.
constexpr const char* kPersonal[] = {"context", "traits"};

void remove_personal(std::string& extra) {
  const auto named = [&](const char* name) { return extra.find(fmt::format("\"{}\"", name)) != std::string::npos; };
  if (std::none_of(std::begin(kPersonal), std::end(kPersonal), named)) return;
  auto members = nlohmann::json::parse(extra, nullptr, false);
  if (!members.is_object()) return;
  for (const char* name : kPersonal) members.erase(name);
  extra = members.empty() ? "" : members.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

Identity Identity::read(Connection& connection) {
  Identity identity;
  auto joins = connection.query("select client_id, user_id from fewshop_joins");
  while (joins.step()) identity.joins.emplace(joins.text(0), joins.text(1));
  auto refusals = connection.query("select who from fewshop_refusals");
  while (refusals.step()) identity.refusals.insert(refusals.text(0));
  return identity;
}

void Identity::apply(Event& event) const {
  if (event.user_id.empty()) {
    event.guest = true;
    const auto joined = joins.find(event.client_id);
    if (joined != joins.end()) event.user_id = joined->second;
  }
  const bool refused =
      !refusals.empty() && ((!event.user_id.empty() && refusals.contains(user_key(event.user_id))) ||
                            (event.guest && !event.client_id.empty() && refusals.contains(guest_key(event.client_id))));
  if (event.personalization && !refused) return;
  event.user_id.clear();
  event.client_id.clear();
  remove_personal(event.extra);
}

ShopWriter::ShopWriter(Context context)
    : context_(context),
      user_labels_(context.connection, "users", "user_id"),
      item_labels_(context.connection, "items", "item_id"),
      next_batch_(context.next_batch) {}

EventTables& ShopWriter::tables() {
  if (!tables_) tables_.emplace(context_.connection, context_.event_columns);
  return *tables_;
}

void ShopWriter::append(std::span<const Event> events) {
  for (const Event& event : events) {
    require(!event.event_id.empty(), "an event without event_id; give it one that is unique for all time");
    waiting_.push_back(event);
    context_.identity.apply(waiting_.back());
    if (waiting_.size() >= kMostEventsInBatch) flush();
  }
}

void ShopWriter::flush() {
  if (waiting_.empty()) return;
  context_.connection.query("insert into fewshop_queue values (?, ?)")
      .add(next_batch_)
      .add_blob(encode_events(waiting_))
      .run();
  batches_.emplace_back(next_batch_++, std::move(waiting_));
  waiting_.clear();
}

void ShopWriter::finish() {
  flush();
  count_removed_rows(context_.connection, removed_rows_, context_.now);
  removed_rows_ = 0;
}

/// An event that the tables have falls out: it was taken for a new one, and its items were counted.
void ShopWriter::store_in_tables(const Event& event) {
  if (tables().insert(event, context_.now)) return;
  for (const EventItem& item : event.items) --item_changes_[item.item_id];
  if (!event.user_id.empty())
    doubled_.insert(user_key(event.user_id));
  else if (!event.client_id.empty())
    doubled_.insert(guest_key(event.client_id));
}

int64_t ShopWriter::drain(int64_t at_most) {
  const auto& batches = context_.queue.batches();
  if (batches.empty() || batches.back()->number <= drained_through_) return 0;
  int64_t moved = 0;
  for (const auto& batch : batches) {
    if (moved >= at_most) break;
    if (batch->number <= drained_through_) continue;
    for (const Event& event : batch->events) store_in_tables(event);
    drained_through_ = batch->number;
    moved += static_cast<int64_t>(batch->events.size());
  }
  if (moved > 0) context_.connection.query("delete from fewshop_queue where batch <= ?").add(drained_through_).run();
  return moved;
}

/// All of it, what this transaction appended included.
void ShopWriter::drain() {
  drain(std::numeric_limits<int64_t>::max());
  if (!batches_.empty()) {
    for (const auto& batch : batches_)
      for (const Event& event : batch.second) store_in_tables(event);
    drained_through_ = batches_.back().first;
    batches_.clear();
    context_.connection.query("delete from fewshop_queue").run();
  }
  for (const Event& event : waiting_) store_in_tables(event);
  waiting_.clear();
}

int64_t ShopWriter::change(const std::string& sql, const std::string& parameter) {
  return context_.connection.query(sql).add(parameter).run();
}

int64_t ShopWriter::remove_old(std::span<const OldRow> rows) {
  int64_t removed = 0;
  for (const OldRow& row : rows) {
    // Its number may be another row's by now.
    auto query = context_.connection.query(
        fmt::format("delete from {} where rowid = ? and event_id = ? returning item_id", EventTables::kAll[row.table]));
    query.add(row.row).add(row.event_id);
    while (query.step()) {
      ++removed;
      if (row.table == 2 || query.null(0)) continue;
      const auto entry = item_changes_.try_emplace(query.text(0)).first;
      if (--entry->second == 0) item_changes_.erase(entry);
    }
  }
  removed_rows_ += removed;
  return removed;
}

void ShopWriter::name_items(std::span<const std::string> item_ids) {
  for (const std::string& id : item_ids) change("insert or ignore into items (item_id) values (?)", id);
}

void ShopWriter::count_items(const std::string& where, const std::string& parameter, int64_t sign) {
  // Events to come are counted when their time has come, whether they have been moved then or not.
  auto query = context_.connection.query(
      fmt::format("select item_id, count(*) from (select item_id from events where {0} union all select item_id from "
                  "events_future where ({0}) and time <= ?2) where item_id is not null group by item_id",
                  where));
  query.add(parameter).add(context_.now);
  while (query.step()) {
    const auto entry = item_changes_.try_emplace(query.text(0)).first;
    entry->second += sign * query.integer(1);
    if (entry->second == 0) item_changes_.erase(entry);
  }
}

template <class Run>
auto ShopWriter::counting(const std::string& where, const std::string& parameter, Run&& run) {
  count_items(where, parameter, -1);
  const auto result = run();
  count_items(where, parameter, 1);
  return result;
}

int64_t ShopWriter::join(const std::string& client_id, const std::string& user_id) {
  require(!client_id.empty() && !user_id.empty(), "a join needs a client_id and a user_id");
  // Said with every message by many clients: what is so already costs nothing.
  if (const auto known = context_.identity.joins.find(client_id);
      known != context_.identity.joins.end() && known->second == user_id)
    return 0;
  drain();
  identity_changed_ = true;
  context_.identity.joins[client_id] = user_id;
  context_.connection.query("insert or replace into fewshop_joins values (?, ?)").add(client_id).add(user_id).run();
  int64_t rows = 0;
  for (const char* table : EventTables::kAll)
    rows += context_.connection
                .query(fmt::format(
                    "update {} set user_id = ?2 where client_id = ?1 and guest = 1 and user_id is not ?2", table))
                .add(client_id)
                .add(user_id)
                .run();
  change("insert or ignore into users (user_id) values (?)", user_id);
  settle("client_id = ?1 and guest = 1", client_id);
  return rows;
}

int64_t ShopWriter::part(const std::string& client_id) {
  if (!context_.identity.joins.contains(client_id)) return 0;
  drain();
  identity_changed_ = true;
  context_.identity.joins.erase(client_id);
  change("delete from fewshop_joins where client_id = ?", client_id);
  int64_t rows = 0;
  for (const char* table : EventTables::kAll)
    rows += change(
        fmt::format("update {} set user_id = null where client_id = ?1 and guest = 1 and user_id is not null", table),
        client_id);
  settle("client_id = ?1 and guest = 1", client_id);
  return rows;
}

int64_t ShopWriter::set_personalization(const std::string& user_id, const std::string& client_id, bool given) {
  require(!user_id.empty() || !client_id.empty(), "consent needs a user_id or a client_id");
  const std::string who = person_key(user_id, client_id);
  if (given != context_.identity.refusals.contains(who)) return 0;  // as it is
  drain();
  identity_changed_ = true;
  if (given) {
    context_.identity.refusals.erase(who);
    change("delete from fewshop_refusals where who = ?", who);
  } else {
    context_.identity.refusals.insert(who);
    change("insert or ignore into fewshop_refusals values (?)", who);
  }
  const int64_t moved =
      user_id.empty() ? settle("client_id = ?1 and guest = 1", client_id) : settle("user_id = ?1", user_id);
  if (!given) removed_rows_ += moved;
  return moved;
}

int64_t ShopWriter::settle(const std::string& where, const std::string& parameter) {
  return counting(where, parameter, [&] { return tables().settle(where, parameter, context_.now); });
}

int64_t ShopWriter::replace_feedback(const Event& event) {
  require(!event.items.empty(), "feedback without an item");
  delete_feedback(event.event, event.user_id, event.items.front().item_id);
  restore_removed_id(context_.connection, event.event_id);
  append({&event, 1});
  return static_cast<int64_t>(row_count(event));
}

int64_t ShopWriter::delete_feedback(const std::string& event, const std::string& user_id, const std::string& item_id) {
  drain();
  return counting("user_id = ?1", user_id, [&] { return delete_rows(event, user_id, item_id); });
}

int64_t ShopWriter::delete_rows(const std::string& event, const std::string& user_id, const std::string& item_id) {
  int64_t rows = 0;
  drop_old_removed_ids(context_.connection, context_.now);
  for (const char* table : EventTables::kAll) {
    auto query = context_.connection.query(
        fmt::format("delete from {} where user_id = ?1 and item_id = ?2 and (?3 is null or event = ?3) returning "
                    "event_id",
                    table));
    query.add(user_id).add(item_id).add(event);
    for (; query.step(); ++rows) note_removed_id(context_.connection, query.view(0), context_.now);
  }
  removed_rows_ += rows;
  return rows;
}

void ShopWriter::remove_rows(const std::string& where, const std::string& parameter,
                             std::map<std::string, int64_t>& removed) {
  count_items(where, parameter, -1);
  for (const char* table : EventTables::kAll)
    removed[table] += change(fmt::format("delete from {} where {}", table, where), parameter);
}

std::map<std::string, int64_t> ShopWriter::forget_user(const std::string& user_id) {
  drain();
  identity_changed_ = true;
  std::vector<std::string> guests;
  {
    auto query = context_.connection.query("select client_id from fewshop_joins where user_id = ?");
    query.add(user_id);
    while (query.step()) guests.push_back(query.text(0));
  }
  std::map<std::string, int64_t> removed;
  remove_rows("user_id = ?1", user_id, removed);
  // The rows of another account on the same device are not this user's.
  for (const std::string& guest : guests) remove_rows("client_id = ?1 and guest = 1", guest, removed);
  removed["users"] = change("delete from users where user_id = ?", user_id);
  removed["joins"] = change("delete from fewshop_joins where user_id = ?", user_id);
  guests.push_back("");
  for (const std::string& guest : guests) {
    const std::string who = guest.empty() ? user_key(user_id) : guest_key(guest);
    removed["refusals"] += change("delete from fewshop_refusals where who = ?", who);
    context_.identity.joins.erase(guest);
    context_.identity.refusals.erase(who);
  }
  return removed;
}

void ShopWriter::put_setting(const std::string& name, const nlohmann::json& value) {
  if (value.is_null()) {
    change("delete from fewshop_settings where name = ?", name);
    return;
  }
  context_.connection.query("insert or replace into fewshop_settings values (?, ?)").add(name).add(value.dump()).run();
}

}  // namespace fewshop
