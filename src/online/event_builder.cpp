#include <algorithm>
#include <utility>

#include "online/body.h"

namespace fewshop::body {

bool reserved(std::string_view key) {
  static constexpr std::string_view kNames[] = {
      "event_id",          "event", "timestamp", "user_id",  "client_id", "session_id", "items", "item_id",
      "recommendation_id", "value", "price",     "quantity", "rating",    "consent"};
  return std::find(std::begin(kNames), std::end(kNames), key) != std::end(kNames);
}

bool EventBuilder::take(std::string_view key, element value) {
  if (key == "items") {
    items(value, key, {"item_id"});
  } else if (key == "item_id") {
    single_item(value, key);
  } else if (key == "session_id") {
    event_.session_id = id_of(value, key, context_.limits);
  } else if (key == "recommendation_id") {
    event_.recommendation_id = id_of(value, key, context_.limits);
  } else if (key == "value") {
    event_.value = number_of(value, key);
  } else if (key == "price") {
    price_ = number_of(value, key);
  } else if (key == "quantity") {
    quantity_ = number_of(value, key);
  } else if (key == "rating") {
    rating_ = number_of(value, key);
  } else {
    return false;
  }
  return true;
}

void EventBuilder::items(element list, std::string_view name, std::initializer_list<std::string_view> id_names) {
  event_.items.clear();
  items_extra_.clear();
  items_with_extra_ = 0;
  if (list.is_null()) return;
  array values;
  if (list.get(values)) refuse("{}: expected a list, got {}", name, shown(list));
  const size_t count = values.size();
  if (count > static_cast<size_t>(context_.limits.items))
    refuse("{}: expected up to {}, got {}", name, context_.limits.items, count);
  event_.items.reserve(count);
  for (const element value : values) {
    const size_t position = event_.items.size();
    if (!value.is_object() && !value.is_string() && !value.is_number())
      refuse("{}[{}]: expected an id or an object, got {}", name, position, shown(value));
    EventItem& item = event_.items.emplace_back();
    try {
      if (value.is_string() || value.is_number()) {  // "items": ["a", "b"]
        item.item_id = id_of(value, "item_id", context_.limits, true);
        continue;
      }
      JsonObject extra;
      const object members = object_of(value, "item");
      std::string_view id_name;
      for (const std::string_view candidate : id_names) {
        element id;
        if (members[candidate].get(id) || id.is_null()) continue;
        item.item_id = id_of(id, candidate, context_.limits, true);
        id_name = candidate;
        break;
      }
      if (id_name.empty()) refuse("{} is missing", *id_names.begin());
      for (const auto [key, member] : members) {
        if (key == id_name) continue;
        if (key == "quantity")
          item.quantity = number_of(member, key);
        else if (key == "price")
          item.price = number_of(member, key);
        else if (key == "value")
          item.value = number_of(member, key);
        else if (key == "rating")
          item.rating = number_of(member, key);
        else if (key == "item_id")
          extra.add("properties.item_id", member, context_.limits.depth);
        else
          extra.add(key, member, context_.limits.depth);
      }
      if (extra.empty()) continue;
      for (; items_with_extra_ < position; ++items_with_extra_) items_extra_ += items_extra_.empty() ? "[{}" : ",{}";
      items_extra_ += items_extra_.empty() ? '[' : ',';
      items_extra_ += std::move(extra).take();
      ++items_with_extra_;
    } catch (const BadValue& bad) {
      refuse("{}[{}].{}", name, position, bad.reason);
    }
  }
}

void EventBuilder::single_item(element value, std::string_view name) {
  single_item_ = id_of(value, name, context_.limits);
}

void EventBuilder::keep(std::string_view key, element value, std::string_view prefix) {
  // `context` has its place for what stood around the event.
  if (!prefix.empty() && (reserved(key) || key == "context"))
    extra_.add(fmt::format("{}.{}", prefix, key), value, context_.limits.depth);
  else
    extra_.add(key, value, context_.limits.depth);
}

void EventBuilder::keep_context(const Surroundings& around) {
  JsonObject kept;
  for (const auto& [name, value] : around) kept.member(name) += value;
  if (!kept.empty()) extra_.member("context") += std::move(kept).take();
}

void EventBuilder::finish() {
  if (!single_item_.empty()) {
    if (event_.items.empty())
      event_.items.emplace_back().item_id = std::move(single_item_);
    else if (std::none_of(event_.items.begin(), event_.items.end(),
                          [&](const EventItem& item) { return item.item_id == single_item_; }))
      refuse("item_id: expected one of the items, or no items beside it, got \"{}\"", single_item_);
  }
  // What is said of an event with one item is said of the item.
  EventItem* only = event_.items.size() == 1 ? event_.items.data() : nullptr;
  const auto settle = [&](std::string_view name, double number, double EventItem::*member) {
    if (!given(number)) return;
    if (only && !given(only->*member))
      only->*member = number;
    else if (!only || only->*member != number)
      append_json_number(number, extra_.member(name));
  };
  settle("price", price_, &EventItem::price);
  settle("quantity", quantity_, &EventItem::quantity);
  settle("rating", rating_, &EventItem::rating);
  if (only && given(event_.value) && (!given(only->value) || only->value == event_.value))
    only->value = std::exchange(event_.value, kNotGiven);

  if (items_with_extra_) extra_.member("items") += items_extra_ + ']';
  event_.extra = std::move(extra_).take();
  if (event_.extra.size() > static_cast<size_t>(context_.limits.extra_bytes))
    refuse("expected up to {} bytes of fields without a column, got {}", context_.limits.extra_bytes,
           event_.extra.size());
  event_.guest = event_.user_id.empty();
  if (event_.event_id.empty()) event_.event_id = new_id(*context_.random);
}

}  // namespace fewshop::body
