// Random operations on the store and on a model of a few lines must give the same answers, before and after indexing,
// whatever is still in the queue, and after opening the database again.
#include <algorithm>
#include <map>
#include <set>

#include "core/property.h"
#include "core/random.h"
#include "store/fault_vfs.h"
#include "store/shop_store.h"
#include "store/shop_support.h"
#include "support/temp_dir.h"

namespace fewshop {
namespace {

using namespace testing;

/// All rows in the order of acceptance.
class Model {
 public:
  void append(Event e) {
    if (has(e.event_id)) return;
    if (e.user_id.empty()) {
      e.guest = true;
      if (joins.contains(e.client_id)) e.user_id = joins[e.client_id];
    }
    if (!e.personalization || refused(e.user_id, e.client_id, e.guest)) e.user_id = e.client_id = "";
    for (size_t p = 0; p < std::max<size_t>(1, e.items.size()); ++p) {
      EventRow row;
      row.event_id = e.event_id;
      row.position = static_cast<int32_t>(p);
      row.time = e.time;
      row.event = e.event;
      row.user_id = e.user_id;
      row.client_id = e.client_id;
      row.guest = e.guest;
      if (!e.items.empty()) {
        row.item_id = e.items[p].item_id;
        row.value = e.items[p].value;
      }
      rows_.push_back(row);
    }
  }
  void set_user(const std::string& client, const std::string& user) {
    for (auto& row : rows_)
      if (row.client_id == client && row.guest) row.user_id = user;
  }
  template <class Condition>
  int64_t erase(Condition condition) {
    return static_cast<int64_t>(std::erase_if(rows_, condition));
  }
  bool refused(const std::string& user, const std::string& client, bool guest) const {
    return refusals.contains("u:" + user) || (guest && refusals.contains("c:" + client));
  }
  std::vector<std::string> history(const std::string& user, const std::string& client, size_t at_most,
                                   Micros until) const {
    std::vector<const EventRow*> found;
    for (const auto& row : rows_)
      if (row.time <= until && !refused(row.user_id, row.client_id, row.guest) &&
          (user.empty() ? row.client_id == client && row.user_id.empty() : row.user_id == user))
        found.push_back(&row);
    std::stable_sort(found.begin(), found.end(), [](const auto* a, const auto* b) { return a->time < b->time; });
    if (found.size() > at_most) found.erase(found.begin(), found.end() - static_cast<long>(at_most));
    std::vector<std::string> texts;
    for (const auto* row : found) texts.push_back(text_of(*row));
    return texts;
  }
  std::multiset<std::string> all() const {
    std::multiset<std::string> texts;
    for (const auto& row : rows_)
      if (!refused(row.user_id, row.client_id, row.guest)) texts.insert(text_of(row));
    return texts;
  }
  /// Of feedback: whose ids are remembered.
  template <class Condition>
  int64_t remove(Condition condition) {
    for (const auto& row : rows_)
      if (condition(row)) removed.insert(row.event_id);
    return erase(condition);
  }
  bool stored(const std::string& id) const {
    return std::any_of(rows_.begin(), rows_.end(), [&](const EventRow& row) { return row.event_id == id; });
  }
  bool has(const std::string& id) const { return removed.contains(id) || stored(id); }
  std::vector<std::string> feedback(const std::string& kind, const std::string& item) const {
    std::map<std::tuple<std::string, std::string, std::string>, std::pair<double, Micros>> groups;
    for (const auto& row : rows_) {
      if (row.user_id.empty() || row.item_id.empty() || refused(row.user_id, row.client_id, row.guest)) continue;
      if ((!kind.empty() && row.event != kind) || (!item.empty() && row.item_id != item)) continue;
      const auto [group, first] = groups.try_emplace({row.user_id, row.item_id, row.event}, 0, row.time);
      if (given(row.value)) group->second.first += row.value;
      group->second.second = std::max(group->second.second, row.time);
    }
    std::vector<std::string> texts;
    for (const auto& [key, group] : groups)
      texts.push_back(fmt::format("{} {} {} {} {}", std::get<0>(key), std::get<1>(key), std::get<2>(key), group.first,
                                  group.second));
    return texts;
  }

  std::map<std::string, std::string> joins;
  std::set<std::string> refusals, removed;

 private:
  std::vector<EventRow> rows_;
};

class Machine {
 public:
  explicit Machine(uint64_t seed) : random_(seed) {}

  void run(int operations) {
    for (int i = 0; i < operations; ++i) {
      step();
      if (i % 3 == 0) check();
    }
    check();
  }

 private:
  std::string user() { return fmt::format("u{}", random_.below(3)); }
  std::string guest() { return fmt::format("c{}", random_.below(3)); }
  std::string item() { return fmt::format("i{}", random_.below(3)); }
  std::string kind() { return random_.below(2) ? "view_item" : "purchase"; }

  Event some_event() {
    Event e;
    e.event_id = random_.below(5) == 0 && next_ > 0 ? fmt::format("e{}", random_.below(static_cast<uint64_t>(next_)))
                                                    : fmt::format("e{}", next_++);
    e.time = random_.between(0, 20);
    e.event = kind();
    if (random_.below(3)) e.user_id = user();
    if (random_.below(3)) e.client_id = guest();
    for (uint64_t n = random_.below(3); n > 0; --n) {
      e.items.push_back({item()});
      if (random_.below(2)) e.items.back().value = static_cast<double>(random_.below(5));
    }
    e.personalization = random_.below(10) != 0;
    return e;
  }

  /// A part of a change: done to the model, returned for the writer.
  std::function<void(ShopStore::Writer&)> part() {
    using Writer = ShopStore::Writer;
    const std::string u = user(), c = guest(), i = item(), k = kind();
    switch (random_.below(12)) {
      case 0:
        model_.joins[c] = u;
        model_.set_user(c, u);
        return [=](Writer& w) { w.join(c, u); };
      case 1:
        if (model_.joins.erase(c)) model_.set_user(c, "");
        return [=](Writer& w) { w.part(c); };
      case 2: {
        const bool given = random_.below(2), of_user = random_.below(2);
        const std::string who = of_user ? "u:" + u : "c:" + c;
        given ? static_cast<void>(model_.refusals.erase(who)) : static_cast<void>(model_.refusals.insert(who));
        return [=](Writer& w) { w.set_personalization(of_user ? u : "", of_user ? "" : c, given); };
      }
      case 3: {
        Event e = some_event();
        // Sometimes what was there once, in another form.
        const auto back = next_ > 0 ? fmt::format("e{}", random_.below(static_cast<uint64_t>(next_))) : "";
        e.event_id = model_.removed.contains(back) && !model_.stored(back) ? back : fmt::format("e{}", next_++);
        e.user_id = u;
        e.items = {{i}};
        e.items[0].value = 1;
        model_.remove([&](const EventRow& r) { return r.user_id == u && r.item_id == i && r.event == e.event; });
        model_.removed.erase(e.event_id);
        model_.append(e);
        return [=](Writer& w) { w.replace_feedback(e); };
      }
      case 4: {
        const std::string of_kind = random_.below(2) ? k : "";
        const auto rows = model_.remove([&](const EventRow& r) {
          return r.user_id == u && r.item_id == i && (of_kind.empty() || r.event == of_kind);
        });
        return [=](Writer& w) { RC_ASSERT(w.delete_feedback(of_kind, u, i) == rows); };
      }
      case 5: {
        if (random_.below(3)) return [](Writer&) {};
        model_.erase([&](const EventRow& r) {
          return r.user_id == u || (r.guest && model_.joins.contains(r.client_id) && model_.joins[r.client_id] == u);
        });
        for (const auto& [client, joined] : model_.joins)
          if (joined == u) model_.refusals.erase("c:" + client);
        std::erase_if(model_.joins, [&](const auto& join) { return join.second == u; });
        model_.refusals.erase("u:" + u);
        return [=](Writer& w) { w.forget_user(u); };
      }
      case 6: {
        if (random_.below(3)) return [](Writer&) {};
        model_.erase([&](const EventRow& r) { return r.item_id == i; });
        return [=](Writer& w) { w.delete_item(i); };
      }
      default: {
        std::vector<Event> events;
        for (uint64_t n = random_.below(5); n > 0; --n) events.push_back(some_event());
        for (const Event& e : events) model_.append(e);
        return [=](Writer& w) { w.append(events); };
      }
    }
  }

  void step() {
    switch (random_.below(8)) {
      case 0:
        now_ = std::min<Micros>(20, now_ + static_cast<Micros>(random_.below(5)));
        store_->index(static_cast<int64_t>(random_.below(12)), now_);
        break;
      case 1:
        if (random_.below(3)) break;
        store_.reset();
        store_ = open();
        break;
      case 2: {
        const Model before = model_;
        const auto change = part();
        try {
          store_->write([&](ShopStore::Writer& writer) {
            writer.set_now(now_);
            change(writer);
            throw std::runtime_error("undone");
          });
        } catch (const std::runtime_error&) {
        }
        model_ = before;
        break;
      }
      default: {
        std::vector<std::function<void(ShopStore::Writer&)>> parts;
        for (uint64_t n = 1 + random_.below(3); n > 0; --n) parts.push_back(part());
        store_->write([&](ShopStore::Writer& writer) {
          writer.set_now(now_);
          for (const auto& one : parts) one(writer);
        });
      }
    }
  }

  std::vector<std::string> history(const std::string& user, const std::string& client, int64_t at_most, Micros until) {
    std::vector<std::string> texts;
    for (const auto& row : store_->history(user, client, at_most, until)) texts.push_back(text_of(row));
    return texts;
  }

  void check() {
    for (int n = 0; n < 3; ++n) {
      const auto at_most = static_cast<int64_t>(1 + random_.below(8));
      const Micros until = random_.between(0, 21);
      const std::string u = fmt::format("u{}", n), c = fmt::format("c{}", n);
      RC_ASSERT(history(u, "", at_most, until) == model_.history(u, "", static_cast<size_t>(at_most), until));
      RC_ASSERT(history("", c, at_most, until) == model_.history("", c, static_cast<size_t>(at_most), until));
    }
    std::multiset<std::string> all;
    store_->each_event([&](const EventRow& row) { all.insert(text_of(row)); });
    RC_ASSERT(all == model_.all());
    for (int i = 0; i < next_; ++i) {
      const std::string id = fmt::format("e{}", i);
      RC_ASSERT(store_->has_event(id) == model_.has(id));
    }
    RC_ASSERT(store_->joins() == model_.joins);
    const auto refusals = store_->refusals();
    RC_ASSERT(std::set<std::string>(refusals.begin(), refusals.end()) == model_.refusals);
    check_feedback();
  }

  void check_feedback() {
    const std::string of_kind = random_.below(2) ? kind() : "", of_item = random_.below(2) ? item() : "";
    std::vector<std::string> texts;
    std::string cursor;
    const auto n = static_cast<int64_t>(1 + random_.below(3));
    do {
      const auto page = store_->feedback(of_kind, "", of_item, n, cursor);
      for (const auto& f : page.records)
        texts.push_back(fmt::format("{} {} {} {} {}", f.user_id, f.item_id, f.event, f.value, f.time));
      cursor = page.cursor;
    } while (!cursor.empty());
    RC_ASSERT(texts == model_.feedback(of_kind, of_item));
  }

  std::unique_ptr<ShopStore> open() {
    ShopStore::Options options;
    options.vfs = vfs_.name();
    return ShopStore::open(folder_ / "shop.db", options);
  }

  TempDir folder_;
  FaultVfs vfs_;  // fails nothing here, and does not wait for the disk
  std::unique_ptr<ShopStore> store_ = open();
  Model model_;
  Random random_;
  Micros now_ = 0;
  int next_ = 0;
};

TEST(ShopModelTest, TheStoreAnswersAsASimpleModelDoes) {
  expect_property("store and model agree", [](uint64_t seed) { Machine(seed).run(40); });
}

}  // namespace
}  // namespace fewshop
