#include "online/shop.h"

#include <fmt/format.h>

#include <chrono>
#include <condition_variable>
#include <future>

#include "core/hash.h"
#include "online/receipt.h"

namespace fewshop {
namespace {

const std::string kKindSettings = "kind/";  // before the name of a kind that was posted

std::string user_key(std::string_view user_id) { return "u:" + std::string(user_id); }
std::string guest_key(std::string_view client_id) { return "c:" + std::string(client_id); }

Shop::Options complete(Shop::Options options) {
  if (!options.now) options.now = system_time;
  if (!options.log) options.log = [](const std::string&) {};
  return options;
}

/// The rows that an event becomes in the table `events`; `whole`: with the texts that few scenarios ask for.
template <class Use>
void each_row(const Event& event, bool whole, Use&& use) {
  EventRow row;
  row.event_id = event.event_id;
  row.time = event.time;
  row.event = event.event;
  row.value = event.value;
  if (whole) {
    row.client_id = event.client_id;
    row.session_id = event.session_id;
    row.recommendation_id = event.recommendation_id;
    row.extra = event.extra;
  }
  for (size_t i = 0; i < event.items.size(); ++i) {
    const EventItem& item = event.items[i];
    row.position = static_cast<int32_t>(i);
    row.item_id = item.item_id;
    row.quantity = item.quantity;
    row.price = item.price;
    row.value = item.value;
    row.rating = item.rating;
    use(row);
  }
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
  auto latest = std::async(std::launch::async, [&] {
    std::vector<uint64_t> hashes;  // newest first
    store_->each_event_id(options_.recent_ids, [&](std::string_view id) { hashes.push_back(hash64(id)); });
    return hashes;
  });
  const Micros now = options_.now();
  store_->each_future_row(now, [&](const EventRow& row) {
    if (!row.item_id.empty()) due_.push({row.time, row.event_id, items_.add(row.item_id)});
  });
  store_->each_item_count(now, [&](const std::string& id, int64_t rows) {
    // An imported event may name an item that is not stored: it is not shown until it is.
    items_.count(items_.add(id), static_cast<double>(rows));
  });
  // Added in the opposite order, so that the newest are the last to be dropped.
  for (const uint64_t hash : store_->removed_id_hashes()) recent_.add(hash);
  const auto hashes = latest.get();
  for (auto hash = hashes.rbegin(); hash != hashes.rend(); ++hash) recent_.add(*hash);
  for (auto& [guest, user] : store_->joins()) joins_[guest] = user;
  for (auto& key : store_->refusals()) refusals_.insert(key);
  for (const auto& [name, set] : store_->settings(kKindSettings))
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

// --- On the ingest thread.

void Shop::begin(Micros now) {
  group_now_ = now;
  pending_.clear();
  forgetting_.clear();
  group_forgotten_.clear();
  group_joins_.clear();
  group_refusals_.clear();
}

bool Shop::duplicate(const std::string& event_id) {
  const uint64_t hash = hash64(event_id);
  if (!pending_.insert(hash).second) return true;
  // A hash may be that of another id.
  return recent_.contains(hash) && store_->has_event(event_id);
}

void Shop::prepare(Change& change, Outcome& outcome) {
  const std::shared_lock lock(people_mutex_);
  // Changes of one group take effect one after the other: a join that is committed with this change counts here.
  const auto joined_to = [&](const std::string& client) -> std::string {
    if (const auto found = group_joins_.find(client); found != group_joins_.end()) return found->second;
    const auto found = joins_.find(client);
    return found == joins_.end() ? "" : found->second;
  };
  const auto refused = [&](const std::string& key) {
    if (const auto found = group_refusals_.find(key); found != group_refusals_.end()) return found->second;
    return refusals_.count(key) > 0;
  };
  // A group that failed may have said otherwise of these.
  for (const Change::Said& said : change.said) {
    Event& event = (said.feedback ? change.overwritten_feedback : change.events)[said.event];
    if (said.nameless) event.user_id.clear();
    event.guest = said.guest;
    event.personalization = said.personalization;
  }
  change.said.clear();
  const auto know = [&](Event& event, int64_t place, bool feedback) {
    const Change::Said said{place, feedback, event.user_id.empty(), event.guest, event.personalization};
    if (event.user_id.empty() && !event.client_id.empty())
      if (std::string user = joined_to(event.client_id); !user.empty() && forgetting_.count(user) == 0) {
        event.user_id = std::move(user);
        event.guest = true;
      }
    if ((!event.user_id.empty() && refused(user_key(event.user_id))) ||
        (!event.client_id.empty() && refused(guest_key(event.client_id))))
      event.personalization = false;
    if (came_late(event)) event.personalization = false;
    if (event.guest != said.guest || event.personalization != said.personalization ||
        event.user_id.empty() != said.nameless)
      change.said.push_back(said);
  };
  // A consent counts from the event that it came with.
  const auto note = [&](const Consent& consent) {
    group_refusals_[consent.user_id.empty() ? guest_key(consent.client_id) : user_key(consent.user_id)] =
        !consent.given;
  };
  const auto count = std::ssize(change.events);
  std::vector<uint8_t> again(count);  // duplicates
  for (int64_t i = 0; i < count; ++i) again[i] = duplicate(change.events[i].event_id);
  std::vector<Event> duplicates;
  std::vector<int64_t> place(count);  // where events go: duplicates to the end
  const int64_t fresh = std::count(again.begin(), again.end(), 0);
  auto consent = change.consents.begin();
  change.fresh = 0;
  for (int64_t i = 0; i <= count; ++i) {
    for (; consent != change.consents.end() && consent->after <= i; ++consent) {
      const int64_t own = consent->effect.event;
      consent->effect.off = own >= 0 && (again[own] || came_late(change.events[own]));
      if (!consent->effect.off) note(*consent);
      consent->after = change.fresh;
    }
    if (i == count) break;
    Event& event = change.events[i];
    if (again[i]) {
      place[i] = fresh + std::ssize(duplicates);
      duplicates.push_back(std::move(event));
      continue;
    }
    know(event, change.fresh, false);
    place[i] = change.fresh;
    if (i != change.fresh) change.events[change.fresh] = std::move(event);
    ++change.fresh;
  }
  std::move(duplicates.begin(), duplicates.end(), change.events.begin() + change.fresh);
  outcome.accepted = change.fresh;
  outcome.duplicates = std::ssize(duplicates);
  const auto follow = [&](Effect& effect) {
    if (effect.event >= 0) effect.event = place[effect.event];
  };
  const auto settle = [&](Effect& effect, bool makes_known) {
    follow(effect);
    effect.off = effect.event >= 0 &&
                 (effect.event >= change.fresh || (makes_known && !change.events[effect.event].personalization));
  };
  for (Consent& one : change.consents) follow(one.effect);
  for (RecordPatch& user : change.user_patches) settle(user.effect, true);
  for (GuestJoin& join : change.joins) {
    settle(join.effect, join.join);
    if (!join.effect.off) group_joins_[join.client_id] = join.join ? join.user_id : "";
  }
  for (int64_t i = 0; i < std::ssize(change.overwritten_feedback); ++i) know(change.overwritten_feedback[i], i, true);
  change.named_items.clear();
  const auto name = [&](const Event& event) {
    for (const EventItem& item : event.items)
      if (!items_.has(item.item_id)) change.named_items.push_back(item.item_id);
  };
  {
    const std::shared_lock posted(posted_mutex_);
    for (int64_t i = 0; i < change.fresh; ++i)
      if (posted_kinds_.count(change.events[i].event) == 0)
        change.settings.emplace_back(kKindSettings + change.events[i].event, true);
  }
  for (int64_t i = 0; i < change.fresh; ++i) name(change.events[i]);
  for (const Event& event : change.overwritten_feedback) name(event);
  prepare_forgetting(change);
}

int32_t Shop::know_item(const std::string& id) {
  if (items_.has(id)) return items_.find(id);
  apply_item(id);
  return items_.find(id);
}

void Shop::apply_event(const Event& event, std::span<const std::shared_ptr<const LiveModel>> models) {
  const int32_t kind = kinds_.add(event.event);
  const std::string key = !event.personalization     ? ""
                          : !event.user_id.empty()   ? user_key(event.user_id)
                          : !event.client_id.empty() ? guest_key(event.client_id)
                                                     : "";
  // What reads the store, and may fail, comes before what counts.
  for (const EventItem& item : event.items) know_item(item.item_id);
  each_row(event, kinds_.keeps_texts(), [&](const EventRow& row) {
    const int32_t item = items_.find(row.item_id);
    count_or_wait(event, item);
    if (kind < 0 || !kinds_.keeps(kind)) return;
    const LiveRow live = live_row(row, item, kind, kinds_);
    if (!key.empty()) rows_.add(key, live, until());
    for (const auto& model : models) {
      if (!model->positive(live)) continue;
      const std::lock_guard lock(figures_mutex_);
      ++positives_[model->name()];
    }
  });
}

void Shop::count_or_wait(const Event& event, int32_t item) {
  if (event.time <= group_now_)
    items_.count(item, 1);
  else
    due_.push({event.time, event.event_id, item});
}

void Shop::count_due() {
  while (!due_.empty() && due_.top().time <= options_.now()) {
    const Due& due = due_.top();
    // It may have been deleted meanwhile, or withheld.
    const std::string id = ItemTable::Reader(items_).at(due.item).id;
    if (store_->counts_row(due.event_id, id)) items_.count(due.item, 1);
    due_.pop();
  }
}

void Shop::count_kind(const std::string& kind) {
  constexpr size_t kMostCounted = 200;
  const std::lock_guard lock(figures_mutex_);
  const auto known = by_kind_.find(kind);
  if (known != by_kind_.end())
    ++known->second;
  else
    ++by_kind_[by_kind_.size() < kMostCounted ? kind : "other"];
}

/// The item is new, or what the shop says of it has changed: lists and models follow.
void Shop::apply_item(const std::string& id) {
  // An item is known once everything has been read: reading may fail, and is tried again.
  const auto record = store_->item(id);
  const auto columns = store_->item_columns(id).value_or(ShopStore::Columns{});
  const int32_t item = items_.add(id);
  const bool shown = record && !record->hidden;
  items_.set(item, record.has_value(), shown, record ? record->time : 0);
  for (const auto& model : following()) model->put_item(item, id, columns, shown);
  if (journal_) journal_->push_back(id);
  views_.changed(item, id, columns);
}

void Shop::apply(const Change& change, Outcome& outcome) {
  write_failed_ = false;
  constexpr int64_t kManyItems = 50;
  if (std::ssize(change.items) + std::ssize(change.item_patches) > kManyItems) views_.clear();
  for (const auto& item : change.items) apply_item(item.item_id);
  for (const auto& patch : change.item_patches) apply_item(patch.id);
  const auto models = change.fresh > 0 ? this->models() : decltype(this->models()){};
  for (int64_t& i = outcome.in_effect; i < change.fresh; ++i) {
    apply_event(change.events[i], models);
    recent_.add(hash64(change.events[i].event_id));
    count_kind(change.events[i].event);
  }
  for (const OldRow& row : change.old_rows)
    if (row.table < 2) rows_.drop(row.user_id.empty() ? guest_key(row.client_id) : user_key(row.user_id));
  for (const auto& join : change.joins) {
    if (join.effect.off) continue;
    std::string before;  // whose rows they were so far
    {
      const std::unique_lock lock(people_mutex_);
      const auto joined = joins_.find(join.client_id);
      if ((joined == joins_.end() ? "" : joined->second) == (join.join ? join.user_id : "")) continue;  // as it is
      if (joined != joins_.end()) {
        before = joined->second;
        joins_.erase(joined);
      }
      if (join.join) joins_[join.client_id] = join.user_id;
    }
    if (!before.empty()) rows_.drop(user_key(before));
    if (join.join) rows_.drop(user_key(join.user_id));
    rows_.drop(guest_key(join.client_id));
  }
  for (const auto& consent : change.consents) {
    if (consent.effect.off) continue;
    const std::string key = consent.user_id.empty() ? guest_key(consent.client_id) : user_key(consent.user_id);
    std::string user;  // whose rows the guest's are
    {
      const std::unique_lock lock(people_mutex_);
      if (consent.given ? refusals_.erase(key) == 0 : !refusals_.insert(key).second) continue;  // as it is
      if (const auto joined = joins_.find(consent.client_id); consent.user_id.empty() && joined != joins_.end())
        user = joined->second;
    }
    rows_.drop(key);
    if (!user.empty()) rows_.drop(user_key(user));
  }
  const auto overwritten = std::ssize(change.overwritten_feedback);
  for (int64_t& done = outcome.in_effect; done < change.fresh + overwritten; ++done) {
    const Event& event = change.overwritten_feedback[done - change.fresh];
    for (const EventItem& item : event.items) know_item(item.item_id);
    for (const EventItem& item : event.items) count_or_wait(event, items_.find(item.item_id));
    recent_.add(hash64(event.event_id));
    rows_.drop(user_key(event.user_id));
  }
  for (const auto& key : change.deleted_feedback) rows_.drop(user_key(key.user_id));
  for (const auto& id : change.deleted_items) {
    apply_item(id);
    rows_.drop_item(items_.add(id));
  }
  for (const auto& [name, entry] : change.settings) {
    if (name.starts_with(Ledger::kEntries)) ledger_.put(name, entry.value("time", Micros{0}));
    if (name.starts_with(kKindSettings)) {
      const std::unique_lock lock(posted_mutex_);
      posted_kinds_.insert(name.substr(kKindSettings.size()));
    }
  }
  const bool held =
      std::any_of(outcome.removed.begin(), outcome.removed.end(), [](const auto& e) { return e.second > 0; });
  if (held) last_forgotten_ = std::max(last_forgotten_ + 1, options_.now());  // each later than the one before
  for (const auto& id : change.forgotten_users) {
    std::vector<std::string> guests;
    {
      const std::unique_lock lock(people_mutex_);
      for (auto at = joins_.begin(); at != joins_.end();)
        if (at->second == id) {
          guests.push_back(at->first);
          at = joins_.erase(at);
        } else {
          ++at;
        }
      refusals_.erase(user_key(id));
      for (const auto& guest : guests) refusals_.erase(guest_key(guest));
    }
    outcome.dropped_rows += rows_.drop(user_key(id));
    for (const auto& guest : guests) outcome.dropped_rows += rows_.drop(guest_key(guest));
  }
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
    rows_.read(user.empty() ? guest_key(client) : user_key(user), until(), rows);
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
    std::string key = user.empty() ? guest_key(client) : user_key(user);
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
