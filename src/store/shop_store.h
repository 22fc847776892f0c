#pragma once

#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "store/event.h"

namespace fewshop {

/// A user or an item as clients write and read it. `labels` is a JSON object, kept as it came; what it holds of
/// numbers, booleans, texts and lists of texts (joined by "|") is also written to columns of the same names, added to
/// the table when they are new, so that scenarios can use them as features.
struct UserRecord {
  std::string user_id;
  nlohmann::json labels = nlohmann::json::object();
  std::string comment;
};

struct ItemRecord {
  std::string item_id;
  bool hidden = false;
  std::vector<std::string> categories;
  Micros time = 0;  // 0 = not given
  nlohmann::json labels = nlohmann::json::object();
  std::string comment;
};

/// Feedback as Gorse's clients see it: the events of one kind of one user for one item, together.
struct FeedbackRecord {
  std::string event, user_id, item_id;
  double value = 0;  // sum of the events' values since the last overwrite
  Micros time = 0;   // of the latest
  nlohmann::json labels = nlohmann::json::object();
  std::string comment;
};

/// A row of one of the tables of events, to be removed: where it lies, whose it is.
struct OldRow {
  int table = 0;  // 0 events, 1 events_future, 2 events_withheld
  int64_t row = 0;
  std::string event_id, user_id, client_id;
};

/// The rows of somebody that answers are made of: those with an item, of some kinds of event.
struct RowsWanted {
  std::optional<std::vector<std::string>> kinds;  // nothing = all
  int64_t most = 0;                               // the latest so many up to `now`, and the first so many after it
  Micros now = 0;
};

/// What index() or a write() found to be duplicates of events that were there: they were acknowledged as new ones.
struct Doubled {
  std::map<std::string, int64_t> rows;  // by item
  std::set<std::string> people;         // whose: "u:ID", "c:ID" of a guest
};

/// One page of a listing; `cursor` is what the next page is asked with, "" = there is none.
template <class Record>
struct Page {
  std::vector<Record> records;
  std::string cursor;
};

/// What a served shop needs of its database beside typed tables (store.h): durable events at a high rate, users, items,
/// guests joined to accounts, consent, settings. The tables users, items, events are the canonical ones, so that
/// scenarios, trainings and SQL read what the server writes.
///
/// Events are appended to a queue without secondary indexes and moved to `events` in larger batches (index()). Readers
/// see both: whatever write() has returned for. A row of `events` is unique by (event_id, position).
///
/// Threads: any thread may call any function; write() and index() lock out each other, readers run beside them. Errors
/// as in store.h: InvalidInput, Failure (locked, disk full, a failed sync). What is promised under which fault:
/// docs/event-store.md.
class ShopStore {
 public:
  struct Options {
    bool create = true;
    bool lock = true;  // hold the lock of the one server that a database may have
    int busy_ms = 5000;
    /// Pages of the write-ahead log after which it is copied into the database, after the commit that reaches them.
    /// More than SQLite's own 1,000: fewer copies of the pages that every batch touches, and a pause now and then.
    int checkpoint_pages = 4000;
    std::string vfs;  // tests: the SQLite VFS to use; "" = the default
  };

  /// Opens the database, creates what it lacks, migrates an older schema (after a backup beside it), refuses a newer
  /// one. Columns that a table imported under a canonical name lacks are added. Throws Failure where another server
  /// holds it.
  static std::unique_ptr<ShopStore> open(const std::string& location, const Options& options);
  virtual ~ShopStore() = default;

  /// One durable change of any number of parts: all of them or none. Valid inside write() only.
  class Writer {
   public:
    virtual ~Writer() = default;
    /// What is of the future in this change: events after this instant. Without it, as the last index() said.
    virtual void set_now(Micros now) = 0;
    /// To the queue; an event whose id is stored already falls out when it is indexed. An event without user_id whose
    /// guest is joined gets the user; one of somebody who refused, or with `personalization` false, is stored without
    /// user_id and client_id. Throws InvalidInput for an event without event_id.
    virtual void append(std::span<const Event> events) = 0;

    // Users and items; the number of rows affected. `patch` changes the members that are given and leaves the others,
    // and makes the record where there is none: "labels" (merged; null takes a label away), "comment"; of items also
    // "hidden" (boolean), "categories" (list of texts), "add_category", "remove_category" (a text), "time"
    // (microseconds).
    virtual int64_t put_user(const UserRecord& user) = 0;
    virtual int64_t patch_user(const std::string& user_id, const nlohmann::json& changes) = 0;
    virtual int64_t put_item(const ItemRecord& item) = 0;
    virtual int64_t patch_item(const std::string& item_id, const nlohmann::json& changes) = 0;
    virtual int64_t delete_item(const std::string& item_id) = 0;  // and its events

    /// Makes items known that events have named; those that are known stay as they are.
    virtual void name_items(std::span<const std::string> item_ids) = 0;

    // Each returns the number of rows of events changed.

    /// From now on, and for what is stored, the guest's events (those that came without user_id) are the user's; part()
    /// undoes it.
    virtual int64_t join(const std::string& client_id, const std::string& user_id) = 0;
    virtual int64_t part(const std::string& client_id) = 0;

    /// Refused: rows of the user (or, with user_id "", the guest) leave `events` for `events_withheld`; given: they
    /// return.
    virtual int64_t set_personalization(const std::string& user_id, const std::string& client_id, bool given) = 0;

    /// Removes every event of the kind of this user for its first item, then appends; the number of rows appended.
    virtual int64_t replace_feedback(const Event& event) = 0;
    /// `event` "" = of every kind.
    virtual int64_t delete_feedback(const std::string& event, const std::string& user_id,
                                    const std::string& item_id) = 0;

    /// Everything of the user and of the guests joined to it, wherever it is kept; rows removed, by table.
    virtual std::map<std::string, int64_t> forget_user(const std::string& user_id) = 0;

    /// Removes the rows that are still what they were when they were found; how many.
    virtual int64_t remove_old(std::span<const OldRow> rows) = 0;

    /// Rows of `events` and the future by item that this write has added or (negative) removed, appended events apart.
    virtual const std::map<std::string, int64_t>& item_changes() const = 0;
    /// Whose events fell out as duplicates while the queue was emptied (their rows are among item_changes()).
    virtual const std::set<std::string>& doubled() const = 0;

    /// Small named values of the server: live models, keys, ledger. null removes.
    virtual void put_setting(const std::string& name, const nlohmann::json& value) = 0;
  };

  /// Runs `change` and commits with one sync of the disk; what it throws undoes everything. Durable when it returns.
  virtual void write(const std::function<void(Writer&)>& change) = 0;

  /// Moves up to `at_most` events of the queue to `events`, and events whose time has come from the future; returns how
  /// many it moved (batches are moved whole). Duplicates of events that are there already fall out here, and users and
  /// items that an event names get a row. An event after `now` waits in `events_future`.
  /// `doubled`, where given: the duplicates that fell out.
  virtual int64_t index(int64_t at_most, Micros now, Doubled* doubled = nullptr) = 0;
  /// Events in the queue.
  virtual int64_t queued() const = 0;
  /// Brings the write-ahead log into the database and cuts it to nothing, so that what was deleted lies in no file
  /// any more. False where a reader still needs the log: ask again.
  virtual bool truncate_log() = 0;

  // Reading.

  /// Whether an event with this id is stored: waiting, withheld, and still in the queue included.
  virtual bool has_event(const std::string& event_id) = 0;
  /// Whether a row of this event names the item and is not withheld.
  virtual bool counts_row(const std::string& event_id, const std::string& item_id) = 0;
  /// Ids of the latest `at_most` events, newest first; an id may come twice.
  virtual void each_event_id(int64_t at_most, const std::function<void(std::string_view)>& use) = 0;
  /// hash64() of ids that has_event() knows although their rows were removed as feedback (removed_ids.h), oldest first.
  virtual std::vector<uint64_t> removed_id_hashes() = 0;
  static constexpr int64_t kAllRows = std::numeric_limits<int64_t>::max() / 2;
  static constexpr Micros kAllTime = std::numeric_limits<Micros>::max();
  /// The latest `at_most` rows of a user (of a guest, by client_id, where user_id is ""), up to `until`, oldest first:
  /// by time, then by the order in which they were accepted. A row with a user_id is the user's and not the guest's.
  virtual std::vector<EventRow> history(const std::string& user_id, const std::string& client_id, int64_t at_most,
                                        Micros until) = 0;
  /// The same, of a user or guest, for answers: oldest first.
  virtual std::vector<EventRow> served_rows(const std::string& user_id, const std::string& client_id,
                                            const RowsWanted& wanted) = 0;
  /// Every row of `events`, then of the future, then of the queue, each in the order of acceptance: one state of the
  /// database, while other threads may write. Rows withheld are not among them.
  virtual void each_event(const std::function<void(const EventRow&)>& use) = 0;

  /// Rows of a user in tables that a server does not keep (imported ones), found by their column user_id: by table; -1
  /// where it cannot be read.
  virtual std::map<std::string, int64_t> rows_elsewhere(const std::string& user_id) = 0;

  /// The rows of a user that are withheld, in the order of acceptance.
  virtual std::vector<EventRow> withheld(const std::string& user_id) = 0;

  /// Looks at up to `at_most` rows of the tables of events, from `place` on (begin with {}), and gives those that are
  /// `wanted`; false at the end. Rows in the queue are not looked at. Locks nobody out.
  struct Place {
    int table = 0;
    int64_t row = 0;
  };
  virtual bool scan_rows(Place& place, int64_t at_most,
                         const std::function<bool(std::string_view event, Micros time)>& wanted,
                         std::vector<OldRow>& found) = 0;

  /// Rows of the tables; `events` of all three and of the queue. Reads indexes from end to end.
  struct Counts {
    int64_t users = 0, items = 0, events = 0;
  };
  virtual Counts counts() = 0;

  virtual std::optional<UserRecord> user(const std::string& user_id) = 0;
  virtual std::optional<ItemRecord> item(const std::string& item_id) = 0;
  virtual Page<UserRecord> users(int64_t n, const std::string& cursor) = 0;
  /// `search` "" = all; else items whose id, comment or labels contain it.
  virtual Page<ItemRecord> items(int64_t n, const std::string& cursor, const std::string& search) = 0;
  /// `event`, `user_id`, `item_id` "" = any.
  virtual Page<FeedbackRecord> feedback(const std::string& event, const std::string& user_id,
                                        const std::string& item_id, int64_t n, const std::string& cursor) = 0;
  virtual void each_item(const std::function<void(const ItemRecord&)>& use) = 0;

  /// Values of all columns of a row of `users` or `items` as text, for features; nothing where there is no such row.
  using Columns = std::map<std::string, std::optional<std::string>>;
  virtual std::optional<Columns> user_columns(const std::string& user_id) = 0;
  virtual std::optional<Columns> item_columns(const std::string& item_id) = 0;
  virtual void each_item_columns(const std::function<void(const std::string& item_id, const Columns&)>& use) = 0;

  /// Ids of the items for which a condition holds: an SQL expression over the columns of `items` that reads nothing
  /// else, such as "price < 20 and brand = 'acme'". Throws InvalidInput for what is none, or takes longer than a
  /// second.
  virtual std::vector<std::string> items_where(const std::string& condition) = 0;
  virtual bool item_where(const std::string& condition, const std::string& item_id) = 0;
  /// Rows up to `now` by item, wherever they are kept.
  virtual void each_item_count(Micros now,
                               const std::function<void(const std::string& item_id, int64_t rows)>& use) = 0;
  /// Rows after `now`.
  virtual void each_future_row(Micros now, const std::function<void(const EventRow&)>& use) = 0;
  /// Everybody who has rows in `events`, each once: users, then guests; until `use` returns false.
  virtual void each_actor(const std::function<bool(const std::string& user_id, const std::string& client_id)>& use) = 0;
  /// Who last had to do with an item, latest first, each once.
  struct Actor {
    std::string user_id, client_id;  // client_id only where there is no user_id
  };
  virtual std::vector<Actor> actors_of_item(const std::string& item_id, int64_t at_most) = 0;

  /// Guests and the users they are joined to.
  virtual std::map<std::string, std::string> joins() = 0;
  /// Users ("u:ID") and guests ("c:ID") who refused personalization.
  virtual std::vector<std::string> refusals() = 0;
  virtual std::optional<nlohmann::json> setting(const std::string& name) = 0;
  virtual std::map<std::string, nlohmann::json> settings(const std::string& prefix) = 0;
  /// Rows of events that were removed on the day of `time` or later, counted by day: old ones, those of items and of
  /// feedback that were deleted, those withheld since somebody refused. Without those of forgotten users, of whom
  /// receipts tell.
  virtual int64_t rows_removed_since(Micros time) = 0;
};

}  // namespace fewshop
