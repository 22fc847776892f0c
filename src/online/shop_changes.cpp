// Changes on the ingest thread: what they come to before they are committed, and how they take effect afterwards.
#include <algorithm>

#include "core/hash.h"
#include "online/shop.h"
#include "store/person_key.h"

namespace fewshop {
namespace {

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

std::string key_of(const Consent& consent) { return person_key(consent.user_id, consent.client_id); }

}  // namespace

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

/// What a change comes to, as the shop knows it before the commit. Changes of one group take effect one after the
/// other: what is committed before this one counts here. Holds people_mutex_.
class Shop::Preparation {
 public:
  Preparation(Shop& shop, Change& change) : shop_(shop), change_(change), lock_(shop.people_mutex_) {}

  void run(Outcome& outcome) {
    restore();
    sort_out_duplicates();
    outcome.accepted = change_.fresh;
    outcome.duplicates = std::ssize(change_.events) - change_.fresh;
    settle_effects();
    for (int64_t i = 0; i < std::ssize(change_.overwritten_feedback); ++i)
      complete(change_.overwritten_feedback[i], i, true);
    note_what_is_new();
    shop_.prepare_forgetting(change_);
  }

 private:
  std::string joined_to(const std::string& client) const {
    if (const auto found = shop_.group_joins_.find(client); found != shop_.group_joins_.end()) return found->second;
    const auto found = shop_.joins_.find(client);
    return found == shop_.joins_.end() ? "" : found->second;
  }
  bool refused(const std::string& key) const {
    if (const auto found = shop_.group_refusals_.find(key); found != shop_.group_refusals_.end()) return found->second;
    return shop_.refusals_.count(key) > 0;
  }

  /// A group that failed may have said otherwise of these.
  void restore() {
    for (const Change::Said& said : change_.said) {
      Event& event = (said.feedback ? change_.overwritten_feedback : change_.events)[said.event];
      if (said.nameless) event.user_id.clear();
      event.guest = said.guest;
      event.personalization = said.personalization;
    }
    change_.said.clear();
  }

  /// Whose the event is, and whether it may count.
  void complete(Event& event, int64_t place, bool feedback) {
    const Change::Said said{place, feedback, event.user_id.empty(), event.guest, event.personalization};
    if (event.user_id.empty() && !event.client_id.empty())
      if (std::string user = joined_to(event.client_id); !user.empty() && shop_.forgetting_.count(user) == 0) {
        event.user_id = std::move(user);
        event.guest = true;
      }
    if ((!event.user_id.empty() && refused(user_key(event.user_id))) ||
        (!event.client_id.empty() && refused(guest_key(event.client_id))))
      event.personalization = false;
    if (shop_.came_late(event)) event.personalization = false;
    if (event.guest != said.guest || event.personalization != said.personalization ||
        event.user_id.empty() != said.nameless)
      change_.said.push_back(said);
  }

  /// Events that are new come first, in their order, each completed with the consents that came before it.
  void sort_out_duplicates() {
    const auto count = std::ssize(change_.events);
    std::vector<uint8_t> again(count);
    for (int64_t i = 0; i < count; ++i) again[i] = shop_.duplicate(change_.events[i].event_id);
    const int64_t fresh = std::count(again.begin(), again.end(), 0);
    std::vector<Event> duplicates;
    place_.resize(count);
    change_.fresh = 0;
    auto consent = change_.consents.begin();
    const auto take_consents = [&](int64_t before) {
      for (; consent != change_.consents.end() && consent->after <= before; ++consent) {
        const int64_t own = consent->effect.event;
        consent->effect.off = own >= 0 && (again[own] || shop_.came_late(change_.events[own]));
        if (!consent->effect.off) shop_.group_refusals_[key_of(*consent)] = !consent->given;
        consent->after = change_.fresh;
      }
    };
    for (int64_t i = 0; i < count; ++i) {
      take_consents(i);
      Event& event = change_.events[i];
      if (again[i]) {
        place_[i] = fresh + std::ssize(duplicates);
        duplicates.push_back(std::move(event));
        continue;
      }
      complete(event, change_.fresh, false);
      place_[i] = change_.fresh;
      if (i != change_.fresh) change_.events[change_.fresh] = std::move(event);
      ++change_.fresh;
    }
    take_consents(count);
    std::move(duplicates.begin(), duplicates.end(), change_.events.begin() + change_.fresh);
  }

  /// What events say beside follows them to their new places, and is off with those that do not count.
  void settle_effects() {
    const auto follow = [&](Effect& effect) {
      if (effect.event >= 0) effect.event = place_[effect.event];
    };
    const auto settle = [&](Effect& effect, bool makes_known) {
      follow(effect);
      effect.off = effect.event >= 0 &&
                   (effect.event >= change_.fresh || (makes_known && !change_.events[effect.event].personalization));
    };
    for (Consent& consent : change_.consents) follow(consent.effect);
    for (RecordPatch& user : change_.user_patches) settle(user.effect, true);
    for (GuestJoin& join : change_.joins) {
      settle(join.effect, join.join);
      if (!join.effect.off) shop_.group_joins_[join.client_id] = join.join ? join.user_id : "";
    }
  }

  /// Items and kinds of event that are named for the first time.
  void note_what_is_new() {
    change_.named_items.clear();
    const auto name_items = [&](const Event& event) {
      for (const EventItem& item : event.items)
        if (!shop_.items_.has(item.item_id)) change_.named_items.push_back(item.item_id);
    };
    const std::shared_lock posted(shop_.posted_mutex_);
    for (int64_t i = 0; i < change_.fresh; ++i) {
      const Event& event = change_.events[i];
      name_items(event);
      if (shop_.posted_kinds_.count(event.event) == 0)
        change_.settings.emplace_back(std::string(kKindSettings) + event.event, true);
    }
    for (const Event& event : change_.overwritten_feedback) name_items(event);
  }

  Shop& shop_;
  Change& change_;
  std::shared_lock<std::shared_mutex> lock_;
  std::vector<int64_t> place_;  // where each event went: duplicates to the end
};

void Shop::prepare(Change& change, Outcome& outcome) { Preparation(*this, change).run(outcome); }

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
  const auto columns = store_->item_columns(id);
  const int32_t item = items_.add(id);
  const bool shown = record && !record->hidden;
  items_.set(item, record.has_value(), shown, record ? record->time : 0);
  for (const auto& model : following()) model->put_item(item, id, columns ? &*columns : nullptr, shown);
  if (journal_) journal_->push_back(id);
  views_.changed(item, id, columns.value_or(ShopStore::Columns{}));
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
    if (row.table < 2) rows_.drop(person_key(row.user_id, row.client_id));
  for (const auto& join : change.joins)
    if (!join.effect.off) apply_join(join);
  for (const auto& consent : change.consents)
    if (!consent.effect.off) apply_consent(consent);
  const auto overwritten = std::ssize(change.overwritten_feedback);
  for (int64_t& done = outcome.in_effect; done < change.fresh + overwritten; ++done)
    apply_overwritten(change.overwritten_feedback[done - change.fresh]);
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
  for (const auto& id : change.forgotten_users) outcome.dropped_rows += forget_in_memory(id);
}

void Shop::apply_join(const GuestJoin& join) {
  std::string before;  // whose rows they were so far
  {
    const std::unique_lock lock(people_mutex_);
    const auto joined = joins_.find(join.client_id);
    if ((joined == joins_.end() ? "" : joined->second) == (join.join ? join.user_id : "")) return;  // as it is
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

void Shop::apply_consent(const Consent& consent) {
  const std::string key = key_of(consent);
  std::string user;  // whose rows the guest's are
  {
    const std::unique_lock lock(people_mutex_);
    if (consent.given ? refusals_.erase(key) == 0 : !refusals_.insert(key).second) return;  // as it is
    if (const auto joined = joins_.find(consent.client_id); consent.user_id.empty() && joined != joins_.end())
      user = joined->second;
  }
  rows_.drop(key);
  if (!user.empty()) rows_.drop(user_key(user));
}

void Shop::apply_overwritten(const Event& event) {
  for (const EventItem& item : event.items) know_item(item.item_id);
  for (const EventItem& item : event.items) count_or_wait(event, items_.find(item.item_id));
  recent_.add(hash64(event.event_id));
  rows_.drop(user_key(event.user_id));
}

int64_t Shop::forget_in_memory(const std::string& user_id) {
  std::vector<std::string> guests;
  {
    const std::unique_lock lock(people_mutex_);
    for (auto at = joins_.begin(); at != joins_.end();)
      if (at->second == user_id) {
        guests.push_back(at->first);
        at = joins_.erase(at);
      } else {
        ++at;
      }
    refusals_.erase(user_key(user_id));
    for (const auto& guest : guests) refusals_.erase(guest_key(guest));
  }
  int64_t dropped = rows_.drop(user_key(user_id));
  for (const auto& guest : guests) dropped += rows_.drop(guest_key(guest));
  return dropped;
}

}  // namespace fewshop
