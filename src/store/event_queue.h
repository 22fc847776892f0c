#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "store/event.h"

namespace fewshop {

/// A row of a queued event, with the number of its batch.
struct QueuedRow {
  int64_t batch = 0;
  EventRow row;
};

/// The queue of the database (table fewshop_queue) as it lies in memory, so that what has been accepted is seen before
/// it has reached the table `events`. Changed by the writer only, after the change is durable; read by any thread.
///
/// How a reader sees each event once although batches move meanwhile: it copies from here first and begins its read of
/// the database afterwards. What the queue has lost since is in the tables already; of what was copied, the batches
/// before the first that the database still holds have moved, too, and are passed over.
class EventQueue {
 public:
  struct Batch {
    int64_t number = 0;
    std::vector<Event> events;
    std::vector<bool> again;  // events whose id was in the queue already
  };

  /// Batches come in the order of their numbers.
  void add(int64_t number, std::vector<Event> events);
  /// Removes the batches up to this number.
  void drop_through(int64_t number);
  void clear();

  /// For the writer: batches, oldest first.
  const std::deque<std::unique_ptr<Batch>>& batches() const { return batches_; }
  int64_t size() const;

  bool has(const std::string& event_id) const;
  /// Whether an event of this user is in it.
  bool names(const std::string& user_id) const;
  /// The first n users after `cursor` who are named in it, in the order of their ids.
  std::vector<std::string> users_after(const std::string& cursor, int64_t n) const;
  /// Rows of a user (of a guest, by client_id, where user_id is "") with time <= until, in the order of acceptance.
  std::vector<QueuedRow> of(const std::string& user_id, const std::string& client_id, Micros until) const;
  /// Every row that `wanted` takes, in the order of acceptance.
  std::vector<QueuedRow> all(const std::function<bool(const Event&)>& wanted) const;
  /// Ids of the latest events, newest first.
  std::vector<std::string> latest_ids(int64_t at_most) const;

 private:
  struct Place {
    const Batch* batch;
    size_t event;
  };
  using Places = std::unordered_map<std::string, std::deque<Place>>;
  void drop_first();

  mutable std::shared_mutex mutex_;
  std::deque<std::unique_ptr<Batch>> batches_;
  std::unordered_map<std::string_view, const Batch*> ids_;  // the views are into the batch
  Places of_user_, of_guest_;
  int64_t size_ = 0;
};

}  // namespace fewshop
