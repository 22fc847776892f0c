#include "online/item_views.h"

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

void ItemViews::clear() {
  const std::lock_guard lock(mutex_);
  ++version_;
  filters_.views.clear();
  values_.views.clear();
}

void ItemViews::changed(int32_t item, const std::string& id) {
  const std::lock_guard lock(mutex_);
  ++version_;
  // Answers may be reading the views: a changed one takes the place of the old.
  std::erase_if(filters_.views, [&](auto& view) {
    auto& [condition, set] = view;
    bool in = false;
    try {
      in = store_.item_where(condition, id);
    } catch (const Error&) {
      return true;  // a condition can fail for one item's values: who asks for it next is told
    }
    if (set->contains(item) == in) return false;
    auto copy = std::make_shared<ItemSet>(*set);
    copy->set(item, in);
    set = std::move(copy);
    return false;
  });
  if (values_.views.empty()) return;
  const auto columns = store_.item_columns(id);
  for (auto& [column, values] : values_.views) {
    auto copy = std::make_shared<Values>(*values);
    if (std::ssize(copy->of) <= item) copy->of.resize(item + 1, -1);
    const auto found = columns ? columns->find(column) : ShopStore::Columns::const_iterator();
    const bool has = columns && found != columns->end() && found->second && !found->second->empty();
    copy->of[item] = has ? copy->number(*found->second) : -1;
    values = std::move(copy);
  }
}

}  // namespace fewshop
