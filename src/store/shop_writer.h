#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "store/connection.h"
#include "store/event_queue.h"
#include "store/event_tables.h"
#include "store/label_columns.h"
#include "store/shop_store.h"

namespace fewshop {

/// What the writer knows of people while it appends: who is joined to whom, who refused. As the database has it.
struct Identity {
  std::unordered_map<std::string, std::string> joins;  // guest to user
  std::unordered_set<std::string> refusals;            // "u:ID", "c:ID"

  static Identity read(Connection& connection);
  /// Fills user_id and guest, and takes away who it was where that may not be kept.
  void apply(Event& event) const;
};

/// The Writer of ShopStore: one transaction of the writing connection. Appended events go to the queue, in one row for
/// each write() or kMostEventsInBatch of them. Whatever changes stored events first empties the queue into the tables,
/// so that it is SQL over tables and the queue never has to be edited.
class ShopWriter final : public ShopStore::Writer {
 public:
  static constexpr size_t kMostEventsInBatch = 1024;

  struct Context {
    Connection& connection;
    const EventQueue& queue;
    Identity& identity;
    const std::string& event_columns;
    int64_t next_batch;
    Micros now;  // events after it are of the future
  };
  explicit ShopWriter(Context context);

  void set_now(Micros now) override { context_.now = now; }
  void append(std::span<const Event> events) override;
  int64_t put_user(const UserRecord& user) override;
  int64_t patch_user(const std::string& user_id, const nlohmann::json& changes) override;
  int64_t put_item(const ItemRecord& item) override;
  int64_t patch_item(const std::string& item_id, const nlohmann::json& changes) override;
  int64_t delete_item(const std::string& item_id) override;
  void name_items(std::span<const std::string> item_ids) override;
  int64_t join(const std::string& client_id, const std::string& user_id) override;
  int64_t part(const std::string& client_id) override;
  int64_t set_personalization(const std::string& user_id, const std::string& client_id, bool given) override;
  int64_t replace_feedback(const Event& event) override;
  int64_t delete_feedback(const std::string& event, const std::string& user_id, const std::string& item_id) override;
  std::map<std::string, int64_t> forget_user(const std::string& user_id) override;
  int64_t remove_old(std::span<const OldRow> rows) override;
  const std::map<std::string, int64_t>& item_changes() const override { return item_changes_; }
  const std::set<std::string>& doubled() const override { return doubled_; }
  void put_setting(const std::string& name, const nlohmann::json& value) override;

  /// Moves whole batches of the queue, oldest first, until `at_most` events have moved; returns how many.
  int64_t drain(int64_t at_most);
  int64_t come_due(int64_t at_most) { return tables().come_due(context_.now, at_most); }

  /// Writes what waits, and how many rows were removed; to be called before the commit.
  void finish();

  // What is to be done in memory once the commit has succeeded.
  int64_t drained_through() const { return drained_through_; }
  std::vector<std::pair<int64_t, std::vector<Event>>>& batches() { return batches_; }
  int64_t next_batch() const { return next_batch_; }
  bool identity_changed() const { return identity_changed_; }

 private:
  EventTables& tables();
  void flush();
  void drain();
  void store_in_tables(const Event& event);
  int64_t change(const std::string& sql, const std::string& parameter);
  /// Runs what changes rows of `events` that satisfy `where` (one parameter) and notes by how many each item's changed.
  void remove_rows(const std::string& where, const std::string& parameter, std::map<std::string, int64_t>& removed);
  int64_t settle(const std::string& where, const std::string& parameter);
  int64_t delete_rows(const std::string& event, const std::string& user_id, const std::string& item_id);
  template <class Run>
  auto counting(const std::string& where, const std::string& parameter, Run&& run);
  void count_items(const std::string& where, const std::string& parameter, int64_t sign);

  Context context_;
  std::optional<EventTables> tables_;
  LabelColumns user_labels_, item_labels_;
  std::vector<Event> waiting_;
  std::vector<std::pair<int64_t, std::vector<Event>>> batches_;  // flushed in this transaction
  int64_t next_batch_, drained_through_ = 0;
  bool identity_changed_ = false;
  int64_t removed_rows_ = 0;  // as ShopStore::rows_removed_since() counts
  std::map<std::string, int64_t> item_changes_;
  std::set<std::string> doubled_;
};

}  // namespace fewshop
