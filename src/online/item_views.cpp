#include "online/item_views.h"

#include <chrono>

#include "core/error.h"

namespace fewshop {

template <class View>
std::shared_ptr<const View> ItemViews::Kept<View>::find(const std::string& key) {
  for (auto at = views.begin(); at != views.end(); ++at)
    if (at->first == key) {
      views.splice(views.begin(), views, at);
      return views.front().second;
    }
  return nullptr;
}

template <class View>
void ItemViews::Kept<View>::put(const std::string& key, std::shared_ptr<const View> view) {
  views.emplace_front(key, std::move(view));
  if (views.size() > kMost) views.pop_back();
}

std::shared_ptr<const ItemSet> ItemViews::filter(const std::string& condition) {
  int64_t version = 0;
  {
    const std::lock_guard lock(mutex_);
    if (auto kept = filters_.find(condition)) return kept;
    version = version_;
  }
  auto set = std::make_shared<ItemSet>();
  const auto ids = store_.items_where(condition);
  {
    const ItemTable::Reader items(items_);
    for (const auto& id : ids)
      if (const int32_t item = items.find(id); item >= 0) set->set(item, true);
  }
  const std::lock_guard lock(mutex_);
  if (version == version_) filters_.put(condition, set);
  return set;
}

std::string ItemViews::in_category(const std::string& category) {
  std::string quoted;
  for (const char c : category) quoted += c == '\'' ? std::string("''") : std::string(1, c);
  return "instr('|' || coalesce(categories, '') || '|', '|" + quoted + "|') > 0";
}

std::shared_ptr<const std::vector<int32_t>> ItemViews::values(const std::string& column) {
  int64_t version = 0;
  {
    const std::lock_guard lock(mutex_);
    if (const auto kept = values_.find(column)) return {kept, &kept->of};
    version = version_;
  }
  auto values = std::make_shared<Values>();
  bool known = false;
  store_.each_item_columns([&](const std::string& id, const ShopStore::Columns& columns) {
    const auto found = columns.find(column);
    if (found == columns.end()) return;
    known = true;
    const int32_t item = items_.find(id);
    if (item < 0) return;
    if (std::ssize(values->of) <= item) values->of.resize(item + 1, -1);
    if (found->second && !found->second->empty()) values->of[item] = values->number(*found->second);
  });
  require(known || ItemTable::Reader(items_).size() == 0, "no column '", column, "' of items to limit by");
  const std::lock_guard lock(mutex_);
  if (version == version_) values_.put(column, values);
  return {values, &values->of};
}

/// What a filter's set is after an item has changed: null where it stays as it is, nothing where it is to be forgotten.
std::optional<std::shared_ptr<const ItemSet>> ItemViews::follow(const ItemSet& before, const std::string& condition,
                                                                int32_t item, const std::string& id) {
  constexpr auto kLongest = std::chrono::milliseconds(20);
  const auto begin = std::chrono::steady_clock::now();
  bool in = false;
  try {
    in = store_.item_where(condition, id);
  } catch (const Error&) {
    return std::nullopt;  // a condition can fail for one item's values: who asks for it next is told
  }
  // Changes wait for all kept filters: one that takes long for a single item is worked out when it is asked for.
  if (std::chrono::steady_clock::now() - begin > kLongest) return std::nullopt;
  if (before.contains(item) == in) return nullptr;
  // Answers may be reading the set: a changed one takes the place of the old.
  auto copy = std::make_shared<ItemSet>(before);
  copy->set(item, in);
  return copy;
}

void ItemViews::clear() {
  const std::lock_guard lock(mutex_);
  ++version_;
  filters_.views.clear();
  values_.views.clear();
}

bool ItemViews::has_filter(const std::string& condition) const {
  const std::lock_guard lock(mutex_);
  return filters_.has(condition);
}

bool ItemViews::has_values(const std::string& column) const {
  const std::lock_guard lock(mutex_);
  return values_.has(column);
}

void ItemViews::changed(int32_t item, const std::string& id, const ShopStore::Columns& columns) {
  std::vector<std::pair<std::string, std::shared_ptr<const ItemSet>>> filters;
  {
    const std::lock_guard lock(mutex_);
    ++version_;
    filters.assign(filters_.views.begin(), filters_.views.end());
  }
  // The store is asked without the lock: whoever asks for a view that is there must not wait for it. A view that is put
  // meanwhile was begun after the change and knows of it.
  for (const auto& [condition, before] : filters) {
    const auto after = follow(*before, condition, item, id);
    const std::lock_guard lock(mutex_);
    for (auto kept = filters_.views.begin(); kept != filters_.views.end(); ++kept) {
      if (kept->second != before) continue;
      if (!after)
        filters_.views.erase(kept);
      else if (*after)
        kept->second = *after;
      break;
    }
  }
  const std::lock_guard lock(mutex_);
  for (auto& [column, values] : values_.views) {
    auto copy = std::make_shared<Values>(*values);
    if (std::ssize(copy->of) <= item) copy->of.resize(item + 1, -1);
    const auto found = columns.find(column);
    const bool has = found != columns.end() && found->second && !found->second->empty();
    copy->of[item] = has ? copy->number(*found->second) : -1;
    values = std::move(copy);
  }
}

}  // namespace fewshop
