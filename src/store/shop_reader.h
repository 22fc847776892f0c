#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "store/event_queue.h"
#include "store/reader_pool.h"
#include "store/shop_store.h"

namespace fewshop {

/// What ShopStore reads, by any thread: the tables and, where events are concerned, the queue in memory. The functions
/// are those of ShopStore.
class ShopReader {
 public:
  ShopReader(std::string path, DatabaseOptions options, const EventQueue& queue)
      : pool_(std::move(path), std::move(options)), queue_(queue) {}

  bool has_event(const std::string& event_id);
  bool counts_row(const std::string& event_id, const std::string& item_id);
  void each_event_id(int64_t at_most, const std::function<void(std::string_view)>& use);
  std::vector<EventRow> history(const std::string& user_id, const std::string& client_id, int64_t at_most,
                                Micros until);
  std::vector<EventRow> served_rows(const std::string& user_id, const std::string& client_id, const RowsWanted& wanted);
  void each_event(const std::function<void(const EventRow&)>& use);
  std::vector<EventRow> withheld(const std::string& user_id);
  bool scan_rows(ShopStore::Place& place, int64_t at_most,
                 const std::function<bool(std::string_view event, Micros time)>& wanted, std::vector<OldRow>& found);
  ShopStore::Counts counts();
  Page<FeedbackRecord> feedback(const std::string& event, const std::string& user_id, const std::string& item_id,
                                int64_t n, const std::string& cursor);

  std::optional<UserRecord> user(const std::string& user_id);
  std::optional<ItemRecord> item(const std::string& item_id);
  Page<UserRecord> users(int64_t n, const std::string& cursor);
  Page<ItemRecord> items(int64_t n, const std::string& cursor, const std::string& search);
  void each_item(const std::function<void(const ItemRecord&)>& use);
  std::optional<ShopStore::Columns> columns(const char* table, const char* id_column, const std::string& id);
  void each_item_columns(const std::function<void(const std::string&, const ShopStore::Columns&)>& use);

  std::vector<std::string> items_where(const std::string& condition);
  bool item_where(const std::string& condition, const std::string& item_id);
  void each_item_count(Micros now, const std::function<void(const std::string&, int64_t)>& use);
  void each_future_row(Micros now, const std::function<void(const EventRow&)>& use);
  void each_actor(const std::function<bool(const std::string&, const std::string&)>& use);
  std::vector<ShopStore::Actor> actors_of_item(const std::string& item_id, int64_t at_most);

  std::vector<uint64_t> removed_id_hashes();
  std::map<std::string, int64_t> rows_elsewhere(const std::string& user_id);
  std::map<std::string, std::string> joins();
  std::vector<std::string> refusals();
  std::map<std::string, nlohmann::json> settings(const std::string& prefix);
  int64_t rows_removed_since(Micros time);
  std::optional<nlohmann::json> setting(const std::string& name);

 private:
  /// Rows copied from the queue before, less those that the tables of this snapshot have already.
  static void drop_moved(Connection& connection, std::vector<QueuedRow>& rows);

  ReaderPool pool_;
  const EventQueue& queue_;
};

}  // namespace fewshop
