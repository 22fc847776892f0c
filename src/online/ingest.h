#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/error.h"
#include "online/incoming.h"
#include "store/shop_store.h"

namespace fewshop {

/// Too much is waiting to be written; try again in a moment.
class Overloaded : public Error {
 public:
  using Error::Error;
};

/// One change of the shop, all of it or none: what a request asks to be stored.
struct Change {
  std::vector<Event> events;
  // Set before the commit:
  int64_t fresh = 0;                     // the first so many of them are no duplicates
  std::vector<std::string> named_items;  // items that events name and that were not known
  struct Said {
    int64_t event = 0;
    bool feedback = false;  // of overwritten_feedback
    bool nameless = false, guest = false, personalization = true;
  };
  std::vector<Said> said;  // what events said of themselves, where more is known now: to be prepared again

  std::vector<GuestJoin> joins;
  std::vector<Consent> consents;

  std::vector<UserRecord> users;  // put
  std::vector<RecordPatch> user_patches;
  std::vector<ItemRecord> items;
  std::vector<RecordPatch> item_patches;
  std::vector<std::string> deleted_items;

  std::vector<Event> overwritten_feedback;  // in place of all of the same kind, user and item
  struct FeedbackKey {
    std::string event, user_id, item_id;  // event "" = of every kind
  };
  std::vector<FeedbackKey> deleted_feedback;
  std::vector<std::string> forgotten_users;
  std::vector<OldRow> old_rows;  // to be removed

  std::vector<std::pair<std::string, nlohmann::json>> settings;
};

/// What became of a change: durable and in effect, unless `error` says why not (and then nothing of it was done).
struct Outcome {
  std::string error;
  bool invalid = false;                    // the change itself is at fault, not the machine
  bool stored = false;                     // with an error: durable, and not in effect before the next start
  int64_t accepted = 0, duplicates = 0;    // events
  int64_t rows = 0;                        // affected by everything else
  std::map<std::string, int64_t> removed;  // forgotten users: rows by table
  int64_t dropped_rows = 0;                // forgotten users: rows in memory
  /// Events (and after them overwritten feedback) that are in effect: where bringing a change into effect is tried
  /// again, they are not counted twice.
  int64_t in_effect = 0;
};

/// Writes changes one after the other on a thread of its own: what is waiting is committed together with one sync of
/// the disk, brought into effect, and only then answered. While nothing waits, queued events are indexed.
///
/// Order: changes take effect in the order in which they were submitted. All hooks run on the thread.
class Ingest {
 public:
  struct Hooks {
    std::function<void(Micros now)> begin;           // a group of changes begins; an earlier one may have failed
    std::function<void(Change&, Outcome&)> prepare;  // before the commit: what the shop knows, duplicates to the end
    std::function<void(const Change&, Outcome&)> apply;  // after it; again where it threw
    std::function<void(const std::map<std::string, int64_t>&)>
        counted;                                                       // Writer::item_changes of a commit, after apply
    std::function<void(const std::set<std::string>& people)> doubled;  // Writer::doubled, after `apply`
    std::function<void(const std::string& message)> failed;            // a commit or the indexing failed
    std::function<void()> idle;                                        // now and then, between two commits
    std::function<Micros()> now;
    std::function<void(double seconds)> effect = nullptr;  // events: from their submission to their effect
  };
  struct Options {
    int64_t most_waiting = 100'000;   // events and changes submitted and not yet committed
    int64_t most_queued = 2'000'000;  // events in the store's queue
    int64_t index_batch = 500;
  };

  Ingest(ShopStore& store, Options options, Hooks hooks);
  /// Commits what is waiting, then stops.
  ~Ingest();

  /// Throws Overloaded when too much is waiting, or when stopped. `done` is called once, on the ingest thread.
  void submit(Change change, std::function<void(const Outcome&)> done);
  /// Runs `task` on the thread between two commits.
  void run(std::function<void()> task);
  void stop();

 private:
  struct Submission {
    Change change;
    std::function<void(const Outcome&)> done;
    std::function<void()> task;
    int64_t size = 0;
    Outcome outcome;
    std::chrono::steady_clock::time_point at = {};
  };

  void loop();
  void commit(std::vector<Submission>& group);
  bool try_commit(std::span<Submission> group);
  void bring_into_effect(Submission& submission);
  void index();

  ShopStore& store_;
  Options options_;
  Hooks hooks_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Submission> waiting_;
  int64_t waiting_size_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

/// Writes the parts of a change; the outcome gets the rows that it affected.
void write_change(ShopStore::Writer& writer, const Change& change, Outcome& outcome);

}  // namespace fewshop
