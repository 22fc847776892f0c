#include "store/event_queue.h"

#include <algorithm>
#include <mutex>

#include "store/event_codec.h"

namespace fewshop {

void EventQueue::add(int64_t number, std::vector<Event> events) {
  auto batch = std::make_unique<Batch>();
  batch->number = number;
  batch->events = std::move(events);
  batch->again.resize(batch->events.size());
  const std::unique_lock lock(mutex_);
  for (size_t e = 0; e < batch->events.size(); ++e) {
    const Event& event = batch->events[e];
    if (!ids_.emplace(event.event_id, batch.get()).second) {
      batch->again[e] = true;
      continue;
    }
    if (!event.user_id.empty())
      of_user_[event.user_id].push_back({batch.get(), e});
    else if (!event.client_id.empty())
      of_guest_[event.client_id].push_back({batch.get(), e});
  }
  size_ += static_cast<int64_t>(batch->events.size());
  batches_.push_back(std::move(batch));
}

void EventQueue::drop_first() {
  const Batch& batch = *batches_.front();
  const auto pop = [](Places& places, const std::string& key) {
    const auto found = places.find(key);
    found->second.pop_front();
    if (found->second.empty()) places.erase(found);
  };
  for (size_t e = 0; e < batch.events.size(); ++e) {
    if (batch.again[e]) continue;
    const Event& event = batch.events[e];
    if (!event.user_id.empty())
      pop(of_user_, event.user_id);
    else if (!event.client_id.empty())
      pop(of_guest_, event.client_id);
    ids_.erase(event.event_id);
  }
  size_ -= static_cast<int64_t>(batch.events.size());
  batches_.pop_front();
}

void EventQueue::drop_through(int64_t number) {
  for (;;) {
    // Readers come in between: a long queue must not hold them up.
    const std::unique_lock lock(mutex_);
    if (batches_.empty() || batches_.front()->number > number) return;
    drop_first();
  }
}

void EventQueue::clear() {
  const std::unique_lock lock(mutex_);
  ids_.clear();
  of_user_.clear();
  of_guest_.clear();
  batches_.clear();
  size_ = 0;
}

int64_t EventQueue::size() const {
  const std::shared_lock lock(mutex_);
  return size_;
}

bool EventQueue::has(const std::string& event_id) const {
  const std::shared_lock lock(mutex_);
  return ids_.contains(event_id);
}

bool EventQueue::names(const std::string& user_id) const {
  const std::shared_lock lock(mutex_);
  return of_user_.contains(user_id);
}

std::vector<std::string> EventQueue::users_after(const std::string& cursor, int64_t n) const {
  std::vector<std::string> users;
  {
    const std::shared_lock lock(mutex_);
    for (const auto& [user, places] : of_user_)
      if (user > cursor) users.push_back(user);
  }
  std::sort(users.begin(), users.end());
  if (static_cast<int64_t>(users.size()) > n) users.resize(static_cast<size_t>(n));
  return users;
}

std::vector<QueuedRow> EventQueue::of(const std::string& user_id, const std::string& client_id, Micros until) const {
  std::vector<QueuedRow> rows;
  const std::shared_lock lock(mutex_);
  const Places& places = user_id.empty() ? of_guest_ : of_user_;
  const auto found = places.find(user_id.empty() ? client_id : user_id);
  if (found == places.end()) return rows;
  for (const Place& place : found->second) {
    const Event& event = place.batch->events[place.event];
    if (event.time > until) continue;
    for (size_t position = 0; position < row_count(event); ++position)
      rows.push_back({place.batch->number, row_of(event, position)});
  }
  return rows;
}

std::vector<QueuedRow> EventQueue::all(const std::function<bool(const Event&)>& wanted) const {
  std::vector<QueuedRow> rows;
  const std::shared_lock lock(mutex_);
  for (const auto& batch : batches_)
    for (size_t e = 0; e < batch->events.size(); ++e) {
      if (batch->again[e] || !wanted(batch->events[e])) continue;
      for (size_t position = 0; position < row_count(batch->events[e]); ++position)
        rows.push_back({batch->number, row_of(batch->events[e], position)});
    }
  return rows;
}

std::vector<std::string> EventQueue::latest_ids(int64_t at_most) const {
  std::vector<std::string> ids;
  const std::shared_lock lock(mutex_);
  for (auto batch = batches_.rbegin(); batch != batches_.rend(); ++batch)
    for (size_t e = (*batch)->events.size(); e-- > 0;) {
      if (static_cast<int64_t>(ids.size()) >= at_most) return ids;
      if (!(*batch)->again[e]) ids.push_back((*batch)->events[e].event_id);
    }
  return ids;
}

}  // namespace fewshop
