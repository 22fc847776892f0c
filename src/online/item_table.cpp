#include "online/item_table.h"

#include <algorithm>

namespace fewshop {

int32_t ItemTable::Reader::find(std::string_view id) const {
  const auto found = table_.index_.find(id);
  return found == table_.index_.end() ? -1 : found->second;
}

int32_t ItemTable::add(std::string_view id) {
  if (const int32_t known = find(id); known >= 0) return known;
  const std::unique_lock lock(mutex_);
  if (const auto found = index_.find(id); found != index_.end()) return found->second;
  const auto item = static_cast<int32_t>(items_.size());
  items_.push_back({std::string(id)});
  index_.emplace(items_.back().id, item);
  return item;
}

bool ItemTable::has(std::string_view id) const {
  const Reader items(*this);
  const int32_t item = items.find(id);
  return item >= 0 && items.at(item).present;
}

void ItemTable::set(int32_t item, bool present, bool shown, Micros time) {
  const std::unique_lock lock(mutex_);
  items_[item].present = present;
  items_[item].shown = shown;
  if (time != 0) items_[item].time = time;
}

void ItemTable::count(int32_t item, double events) {
  const std::unique_lock lock(mutex_);
  items_[item].events = std::max(0.0, items_[item].events + events);
}

}  // namespace fewshop
