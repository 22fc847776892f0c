#include "online/kinds.h"

#include "core/error.h"
#include "core/hash.h"

namespace fewshop {

EventColumn event_column(const std::string& name, const std::string& where) {
  if (name == "rating") return EventColumn::kRating;
  if (name == "value") return EventColumn::kValue;
  if (name == "price") return EventColumn::kPrice;
  if (name == "quantity") return EventColumn::kQuantity;
  throw InvalidInput(
      where + ": expected a number or one of the columns rating, value, price, quantity of the table events, got '" +
      name + "'");
}

int32_t EventKinds::find(std::string_view name) const {
  const std::shared_lock lock(mutex_);
  const auto found = index_.find(name);
  return found == index_.end() ? -1 : found->second;
}

int32_t EventKinds::add(std::string_view name) {
  if (const int32_t known = find(name); known >= 0) return known;
  const std::unique_lock lock(mutex_);
  if (const auto found = index_.find(name); found != index_.end()) return found->second;
  if (std::ssize(names_) >= kMost) return -1;
  const auto kind = static_cast<int32_t>(names_.size());
  names_.emplace_back(name);
  columns_.push_back(EventColumn::kNone);
  index_.emplace(name, kind);
  return kind;
}

std::string EventKinds::name(int32_t kind) const {
  const std::shared_lock lock(mutex_);
  return names_.at(kind);
}

void EventKinds::refuse_others(const std::string& scenario, const Choice& choice) const {
  for (const auto& [other, chosen] : chosen_) {
    if (other == scenario) continue;
    for (const auto& [event, column] : chosen.columns)
      if (const auto mine = choice.columns.find(event); mine != choice.columns.end())
        require(mine->second == column, "live.events.", event, ": scenario '", other,
                "' takes another column of this kind of event; both have to take the same");
    const auto same = [&](const EventField& mine, const EventField& others, const char* part) {
      require(mine.name.empty() || others.name.empty() || mine == others, part, ": scenario '", other, "' takes '",
              others.name, "'; live scenarios have to take the same column");
    };
    same(choice.weight, chosen.weight, "rows.weight");
    same(choice.tie, chosen.tie, "episode.ties");
  }
}

bool EventKinds::use(const Scenario& scenario) {
  Choice choice{{}, weight_field(scenario), tie_field(scenario)};
  for (const auto& [event, value] : scenario.live_events)
    if (value.is_string()) choice.columns[event] = event_column(value.get<std::string>(), "live.events." + event);
  {
    const std::shared_lock lock(mutex_);
    refuse_others(scenario.name, choice);
  }
  bool changed = false;
  for (const auto& [event, column] : choice.columns) {
    const int32_t kind = add(event);
    require(kind >= 0, "live.events.", event, ": more than ", kMost, " kinds of event");
    const std::unique_lock lock(mutex_);
    changed = changed || columns_[kind] != column;
    columns_[kind] = column;
  }
  const std::unique_lock lock(mutex_);
  const auto take = [&](const EventField& wanted, EventField& kept) {
    if (wanted.name.empty() || wanted == kept) return;
    kept = wanted;
    changed = true;
  };
  take(choice.weight, weight_);
  take(choice.tie, tie_);
  chosen_[scenario.name] = std::move(choice);
  return changed;
}

void EventKinds::release(const std::string& scenario) {
  const std::unique_lock lock(mutex_);
  chosen_.erase(scenario);
}

bool EventKinds::keep(std::optional<std::set<int32_t>> kinds) {
  const std::unique_lock lock(mutex_);
  if (keep_ == kinds) return false;
  keep_ = std::move(kinds);
  return true;
}

bool EventKinds::keeps(int32_t kind) const {
  const std::shared_lock lock(mutex_);
  return !keep_ || keep_->contains(kind);
}

std::optional<std::vector<std::string>> EventKinds::names_kept() const {
  const std::shared_lock lock(mutex_);
  if (!keep_) return std::nullopt;
  std::vector<std::string> names;
  for (const int32_t kind : *keep_) names.push_back(names_[kind]);
  return names;
}

EventKinds::Kept EventKinds::kept(int32_t kind, const EventRow& row) const {
  const std::shared_lock lock(mutex_);
  Kept kept{number(kind, row), static_cast<float>(kNotGiven), 0};
  if (!weight_.name.empty()) kept.weight = static_cast<float>(weight_.number(row));
  if (!tie_.name.empty()) kept.tie = static_cast<uint32_t>(hash64(tie_.text(row)));
  return kept;
}

bool EventKinds::keeps_texts() const {
  const std::shared_lock lock(mutex_);
  return !tie_.name.empty() || weight_.in_extra;
}

float EventKinds::number(int32_t kind, const EventRow& row) const {
  switch (kind < std::ssize(columns_) ? columns_[kind] : EventColumn::kNone) {
    case EventColumn::kNone:
      break;
    case EventColumn::kRating:
      return static_cast<float>(row.rating);
    case EventColumn::kValue:
      return static_cast<float>(row.value);
    case EventColumn::kPrice:
      return static_cast<float>(row.price);
    case EventColumn::kQuantity:
      return static_cast<float>(row.quantity);
  }
  return static_cast<float>(kNotGiven);
}

}  // namespace fewshop
