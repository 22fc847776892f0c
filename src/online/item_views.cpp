#include "online/item_views.h"

#include <chrono>

#include "core/error.h"
#include "core/text.h"

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

void ItemViews::Values::put(int32_t item, const std::optional<std::string>& text) {
  if (std::ssize(text_of) <= item) text_of.resize(item + 1, -1);
  text_of[item] = -1;
  if (!text) return;
  const auto known = texts.find(*text);
  if (known != texts.end()) {
    text_of[item] = known->second;
    return;
  }
  std::vector<int32_t> numbers;
  for (const std::string& value : split_list(*text, '|'))
    numbers.push_back(values.emplace(value, std::ssize(values)).first->second);
  std::sort(numbers.begin(), numbers.end());
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  if (numbers.empty()) return;
  text_of[item] = static_cast<int32_t>(std::ssize(texts));
  texts.emplace(*text, text_of[item]);
  parts.push_back(std::move(numbers));
}

std::shared_ptr<const ItemValues> ItemViews::values(const std::string& column) {
  int64_t version = 0;
  {
    const std::lock_guard lock(mutex_);
    if (auto kept = values_.find(column)) return kept;
    version = version_;
  }
  auto values = read_values(column);
  // As `category` of a list is a value of `categories`.
  if (!values && column == "category") values = read_values("categories");
  require(values != nullptr, "no column '", column, "' of items to limit by");
  const std::lock_guard lock(mutex_);
  if (version == version_ && !values->text_of.empty()) values_.put(column, values);
  return values;
}

/// Null where no item has the column.
std::shared_ptr<ItemViews::Values> ItemViews::read_values(const std::string& column) {
  auto values = std::make_shared<Values>();
  values->column = column;
  bool known = false;
  store_.each_item_columns([&](const std::string& id, const ShopStore::Columns& columns) {
    const auto found = columns.find(column);
    if (found == columns.end()) return;
    known = true;
    if (const int32_t item = items_.find(id); item >= 0) values->put(item, found->second);
  });
  return known || ItemTable::Reader(items_).size() == 0 ? values : nullptr;
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
  for (auto& view : values_.views) {
    auto copy = std::make_shared<Values>(*view.second);
    const auto found = columns.find(copy->column);
    copy->put(item, found == columns.end() ? std::nullopt : found->second);
    view.second = std::move(copy);
  }
}

}  // namespace fewshop
