#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/time.h"

namespace fewshop {

/// Every item that the shop knows, numbered in the order in which it became known; a number is never given twice. What
/// is kept of an item is what every list needs: whether it may be shown, since when it exists, how often it was asked
/// for.
///
/// Threads: any number; a Reader holds the table still while it lives.
class ItemTable {
 public:
  struct Item {
    std::string id;
    bool present = false;  // the shop has a record of it; not deleted
    bool shown = false;    // and it is not hidden
    Micros time = 0;       // when it came; 0 = not known
    double events = 0;     // rows of events that name it
  };

  /// Shared access. Nothing changes while it lives; keep it short.
  class Reader {
   public:
    explicit Reader(const ItemTable& table) : table_(table), lock_(table.mutex_) {}
    int32_t size() const { return static_cast<int32_t>(table_.items_.size()); }
    /// -1 for an unknown id.
    int32_t find(std::string_view id) const;
    const Item& at(int32_t item) const { return table_.items_[item]; }

   private:
    const ItemTable& table_;
    std::shared_lock<std::shared_mutex> lock_;
  };

  /// The number of the item, a new one where it is not known.
  int32_t add(std::string_view id);
  int32_t find(std::string_view id) const { return Reader(*this).find(id); }
  /// Whether it is known and was not deleted.
  bool has(std::string_view id) const;
  void set(int32_t item, bool present, bool shown, Micros time);
  void count(int32_t item, double events);

 private:
  mutable std::shared_mutex mutex_;
  std::deque<Item> items_;
  std::unordered_map<std::string_view, int32_t> index_;  // keys point into items_
};

}  // namespace fewshop
