#include "online/shop.h"

#include <fmt/format.h>

#include <chrono>
#include <condition_variable>
#include <future>

#include "core/hash.h"
#include "online/receipt.h"
#include "store/person_key.h"

namespace fewshop {
namespace {

Shop::Options complete(Shop::Options options) {
  if (!options.now) options.now = system_time;
  if (!options.log) options.log = [](const std::string&) {};
  return options;
}

}  // namespace

Shop::Shop(Options options)
    : options_(complete(std::move(options))),
      store_(ShopStore::open(options_.database, {.vfs = options_.vfs})),
      views_(*store_, items_),
      rows_(options_.rows,
            [this](std::string_view key, Micros now, std::vector<LiveRow>& rows) { read_rows(key, now, rows); }),
      recent_(options_.recent_ids),
      random_(entropy()),
      ledger_(store_->settings("")) {
  load();
  Ingest::Hooks hooks;
  hooks.begin = [this](Micros now) { begin(now); };
  hooks.prepare = [this](Change& change, Outcome& outcome) { prepare(change, outcome); };
  hooks.apply = [this](const Change& change, Outcome& outcome) { apply(change, outcome); };
  hooks.counted = [this](const std::map<std::string, int64_t>& changes) {
    for (const auto& [id, rows] : changes)
      if (const int32_t item = items_.find(id); item >= 0) items_.count(item, static_cast<double>(rows));
  };
  hooks.doubled = [this](const std::set<std::string>& people) {
    for (const std::string& key : people) rows_.drop(key);
  };
  hooks.failed = [this](const std::string& problem) {
    write_failed_ = true;
    options_.log(problem);
  };
  hooks.idle = [this] {
    count_due();
    release_rows();
  };
  hooks.now = options_.now;
  hooks.effect = options_.effect;
  ingest_ = std::make_unique<Ingest>(*store_, options_.ingest, std::move(hooks));
  housekeeping_ = std::make_unique<Housekeeping>(
      [this] { tick(); }, [this](const std::string& problem) { options_.log("housekeeping: " + problem); },
      std::chrono::seconds(1));
  indexing_ = std::make_unique<Housekeeping>([this] { build_indexes(); },
                                             [this](const std::string& problem) { options_.log("index: " + problem); },
                                             std::chrono::milliseconds(500));
}

Shop::~Shop() { stopping_ = true; }

Micros Shop::now() const {
  const Micros now = options_.now();
  Micros latest = latest_.load();
  while (now > latest && !latest_.compare_exchange_weak(latest, now)) {
  }
  return now;
}

Micros Shop::until() const {
  now();
  return latest_.load();
}

void Shop::stop() {
  stopping_ = true;
  indexing_->stop();
  housekeeping_->stop();
  ingest_->stop();
}

void Shop::load() {
  store_->each_item([&](const ItemRecord& record) {
    const int32_t item = items_.add(record.item_id);
    items_.set(item, true, !record.hidden, record.time);
  });
  // Both read an index of all events, and neither waits for the other.
  auto ids = std::async(std::launch::async, [&] {
    std::vector<uint64_t> hashes;  // newest first
    store_->each_event_id(options_.recent_ids, [&](std::string_view id) { hashes.push_back(hash64(id)); });
    // Added in the opposite order, so that the newest are the last to be dropped.
    for (const uint64_t hash : store_->removed_id_hashes()) recent_.add(hash);
    recent_.reserve(std::ssize(hashes));
    for (auto hash = hashes.rbegin(); hash != hashes.rend(); ++hash) recent_.add(*hash);
  });
  const Micros now = options_.now();
  store_->each_future_row(now, [&](const EventRow& row) {
    if (!row.item_id.empty()) due_.push({row.time, row.event_id, items_.add(row.item_id)});
  });
  store_->each_item_count(now, [&](const std::string& id, int64_t rows) {
    // An imported event may name an item that is not stored: it is not shown until it is.
    items_.count(items_.add(id), static_cast<double>(rows));
  });
  ids.get();
  for (auto& [guest, user] : store_->joins()) joins_[guest] = user;
  for (auto& key : store_->refusals()) refusals_.insert(key);
  for (const auto& [name, set] : store_->settings(std::string(kKindSettings)))
    posted_kinds_.insert(name.substr(kKindSettings.size()));
  for (const auto& [name, entry] : store_->settings(std::string(Ledger::kEntries))) {
    last_forgotten_ = std::max(last_forgotten_.load(), in_effect_of(entry).value_or(now));
    if (entry.value("pending", false)) {
      pending_receipts_.insert(name);
      // One that was not written to its end may wait for models, too.
      if (!entry.contains("receipt") || waits_for(entry["receipt"], "models")) modelless_.insert(name);
    }
  }
}

std::string Shop::new_id() {
  const std::lock_guard lock(random_mutex_);
  // The form of a random UUID, RFC 4122 section 4.4.
  const uint64_t a = random_.next(), b = random_.next();
  return fmt::format("{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}", a >> 32, a >> 16 & 0xffff, a & 0xfff,
                     (b >> 48 & 0x3fff) | 0x8000, b & 0xffffffffffff);
}

bool Shop::admits_kind(const std::string& kind) const {
  const std::shared_lock lock(posted_mutex_);
  return std::ssize(posted_kinds_) < kMostKinds || posted_kinds_.count(kind) > 0;
}

bool Shop::refused(const std::string& user_id, const std::string& client_id) const {
  const std::shared_lock lock(people_mutex_);
  return (!user_id.empty() && refusals_.count(user_key(user_id)) > 0) ||
         (!client_id.empty() && refusals_.count(guest_key(client_id)) > 0);
}

Outcome Shop::change(Change change) {
  std::mutex mutex;
  std::condition_variable ready;
  std::optional<Outcome> outcome;
  submit(std::move(change), [&](const Outcome& done) {
    const std::lock_guard lock(mutex);
    outcome = done;
    ready.notify_one();
  });
  std::unique_lock lock(mutex);
  ready.wait(lock, [&] { return outcome.has_value(); });
  if (outcome->error.empty()) return std::move(*outcome);
  if (outcome->invalid) throw InvalidInput(outcome->error);
  throw Failure(outcome->error);
}

void Shop::read_rows(std::string_view key, Micros now, std::vector<LiveRow>& rows) {
  const std::string id(key.substr(2));
  const bool user = key.starts_with("u:");
  for (const EventRow& row :
       store_->served_rows(user ? id : "", user ? "" : id, {kinds_.names_kept(), options_.rows.rows_per_key, now})) {
    const int32_t item = items_.find(row.item_id), kind = kinds_.add(row.event);
    if (item >= 0 && kind >= 0) rows.push_back(live_row(row, item, kind, kinds_));
  }
}

void Shop::warm(const std::atomic<bool>& stop) {
  constexpr int kBetweenLooks = 1000;
  const auto enough = static_cast<int64_t>(0.9 * static_cast<double>(options_.rows.most_bytes));
  int64_t keys = 0;
  std::vector<LiveRow> rows;
  store_->each_actor([&](const std::string& user, const std::string& client) {
    rows_.read(person_key(user, client), until(), rows);
    return !stop && (++keys % kBetweenLooks != 0 || rows_.usage().bytes < enough);
  });
}

/// Rows of some of the people that the store knows, those first whom it names first among them.
std::vector<std::vector<LiveRow>> Shop::sample_of_users() {
  constexpr int64_t kAsked = 50'000, kWanted = 384;
  std::vector<std::string> keys;  // drawn evenly from those that were named so far
  Random random(1);
  int64_t named = 0;
  store_->each_actor([&](const std::string& user, const std::string& client) {
    std::string key = person_key(user, client);
    if (++named <= kWanted)
      keys.push_back(std::move(key));
    else if (const auto place = static_cast<int64_t>(random.below(named)); place < kWanted)
      keys[place] = std::move(key);
    return named < kAsked && !stopping_;
  });
  std::vector<std::vector<LiveRow>> users(keys.size());
  for (size_t i = 0; i < keys.size(); ++i) rows_.read(keys[i], until(), users[i]);
  return users;
}

void Shop::build_indexes() {
  for (const auto& model : following()) {
    if (stopping_ || !model->wants_index(options_.index_from)) continue;
    model->build_index(sample_of_users(), now(), [this] { return stopping_.load(); });
  }
}

}  // namespace fewshop
