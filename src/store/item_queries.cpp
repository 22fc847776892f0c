// What ShopReader answers about items and people as a whole: conditions of clients, counts, who had to do with what.
#include <fmt/format.h>

#include <chrono>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "core/error.h"
#include "store/event_tables.h"
#include "store/person_key.h"
#include "store/shop_reader.h"

namespace fewshop {
namespace {

constexpr auto kLongest = std::chrono::seconds(1);
constexpr int kStepsBetweenLooks = 10'000;  // of SQLite's machine

using Clock = std::chrono::steady_clock;

/// Ends a statement of the connection that runs too long.
class Deadline {
 public:
  explicit Deadline(sqlite3* handle) : handle_(handle), at_(Clock::now() + kLongest) {
    sqlite3_progress_handler(
        handle_, kStepsBetweenLooks,
        [](void* at) { return Clock::now() > *static_cast<Clock::time_point*>(at) ? 1 : 0; }, &at_);
  }
  ~Deadline() { sqlite3_progress_handler(handle_, 0, nullptr, nullptr); }
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;
  bool passed() const { return Clock::now() > at_; }

 private:
  sqlite3* handle_;
  Clock::time_point at_;
};

/// Runs "select item_id from items where (condition)" or less of it; the condition comes from a client.
void each_item_where(Connection& connection, const std::string& condition, const std::string& item_id,
                     const std::function<void(std::string_view)>& use) {
  constexpr size_t kLongestText = 4096;
  require(condition.size() <= kLongestText, "filter: longer than ", kLongestText, " characters");
  Database& database = connection.database();
  const Deadline deadline(database.handle());
  try {
    std::set<std::string> tables;
    // A condition in parentheses may be more than one that closes them; without them, it may be the end of a statement.
    database.prepare_locked("select item_id from items where\n" + condition, &tables);
    const auto statement = database.prepare_locked(
        "select item_id from items where (\n" + condition + "\n)" + (item_id.empty() ? "" : " and item_id = ?"),
        &tables);
    for (const std::string& table : tables)
      require(table == "items", "it may read columns of items and nothing else, not '", table, "'");
    require(sqlite3_bind_parameter_count(statement.get()) == (item_id.empty() ? 0 : 1), "it may have no parameters");
    if (!item_id.empty())
      sqlite3_bind_text64(statement.get(), 1, item_id.data(), item_id.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
    while (database.step(statement.get())) {
      const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement.get(), 0));
      if (text) use({text, static_cast<size_t>(sqlite3_column_bytes(statement.get(), 0))});
    }
  } catch (const Error& problem) {
    if (deadline.passed()) throw InvalidInput("filter: takes longer than a second");
    throw InvalidInput(fmt::format(
        "filter: expected a condition over the columns of items such as \"price < 20 and brand = 'acme'\": {}",
        problem.what()));
  }
}

}  // namespace

std::vector<std::string> ShopReader::items_where(const std::string& condition) {
  std::vector<std::string> ids;
  auto reader = pool_.take();
  each_item_where(*reader, condition, "", [&](std::string_view id) { ids.emplace_back(id); });
  return ids;
}

bool ShopReader::item_where(const std::string& condition, const std::string& item_id) {
  bool found = false;
  auto reader = pool_.take();
  each_item_where(*reader, condition, item_id, [&](std::string_view id) { found = found || id == item_id; });
  return found;
}

void ShopReader::each_item_count(Micros now, const std::function<void(const std::string&, int64_t)>& use) {
  std::unordered_map<std::string, int64_t> more;  // than `events` has
  auto rows = queue_.all([&](const Event& event) { return event.time <= now; });
  auto reader = pool_.take();
  reader.snapshot();
  drop_moved(*reader, rows);
  for (const QueuedRow& row : rows)
    if (!row.row.item_id.empty()) ++more[row.row.item_id];
  {
    auto due = reader->query(
        "select item_id, count(*) from events_future where item_id is not null and time <= ? group by item_id");
    due.add(now);
    while (due.step()) more[due.text(0)] += due.integer(1);
  }
  auto query = reader->query("select item_id, count(*) from events where item_id is not null group by item_id");
  while (query.step()) {
    const std::string id = query.text(0);
    int64_t count = query.integer(1);
    if (const auto found = more.find(id); found != more.end()) {
      count += found->second;
      more.erase(found);
    }
    use(id, count);
  }
  for (const auto& [id, count] : more) use(id, count);
}

void ShopReader::each_future_row(Micros now, const std::function<void(const EventRow&)>& use) {
  auto rows = queue_.all([&](const Event& event) { return event.time > now; });
  auto reader = pool_.take();
  reader.snapshot();
  drop_moved(*reader, rows);
  for (const QueuedRow& row : rows) use(row.row);
  auto query = reader->query(fmt::format("select {} from events_future where time > ?", kRowColumns));
  query.add(now);
  while (query.step()) use(read_row(query));
}

void ShopReader::each_actor(const std::function<bool(const std::string&, const std::string&)>& use) {
  auto reader = pool_.take();
  {
    auto users = reader->query("select distinct user_id from events where user_id is not null");
    while (users.step())
      if (!use(users.text(0), "")) return;
  }
  auto guests = reader->query("select distinct client_id from events where user_id is null and client_id is not null");
  while (guests.step())
    if (!use("", guests.text(0))) return;
}

std::vector<ShopStore::Actor> ShopReader::actors_of_item(const std::string& item_id, int64_t at_most) {
  constexpr int64_t kRowsOfAnActor = 4;  // rows read for every actor that is sought
  std::vector<ShopStore::Actor> actors;
  std::unordered_set<std::string> known;
  const auto add = [&](const std::string& user, const std::string& client) {
    if (std::ssize(actors) >= at_most || (user.empty() && client.empty())) return;
    if (known.insert(person_key(user, client)).second) actors.push_back({user, user.empty() ? client : ""});
  };
  auto queued = queue_.all([&](const Event& event) {
    for (const EventItem& item : event.items)
      if (item.item_id == item_id) return true;
    return false;
  });
  for (auto row = queued.rbegin(); row != queued.rend(); ++row) add(row->row.user_id, row->row.client_id);
  auto reader = pool_.take();
  auto query = reader->query("select user_id, client_id from events where item_id = ? order by rowid desc limit ?");
  query.add(item_id).add(kRowsOfAnActor * at_most);
  while (query.step()) add(query.text(0), query.text(1));
  return actors;
}

}  // namespace fewshop
