#pragma once

#include <algorithm>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "online/item_table.h"
#include "online/list_rules.h"
#include "runtime/item_set.h"
#include "store/shop_store.h"

namespace fewshop {

/// What lists ask of the columns of `items`, by item number: the set that a filter leaves, the value that a cap counts.
/// Worked out in the store when first asked for, kept up to date by changed(), forgotten when not used for long.
///
/// Threads: any number; changed() one at a time.
class ItemViews {
 public:
  ItemViews(ShopStore& store, const ItemTable& items) : store_(store), items_(items) {}

  /// Items for which an SQL condition over their columns holds. Throws InvalidInput where it is none. One that was not
  /// asked for before reads all items: up to a second (store_.items_where).
  std::shared_ptr<const ItemSet> filter(const std::string& condition);
  /// Whether filter(condition), or values(column), has it worked out already.
  bool has_filter(const std::string& condition) const;
  bool has_values(const std::string& column) const;
  /// The condition that an item is in a category.
  static std::string in_category(const std::string& category);
  /// What items have in a column, which reads all items the first time. Throws InvalidInput where there is no such
  /// column.
  std::shared_ptr<const ItemValues> values(const std::string& column);

  /// Forgets all views: cheaper than following many changes one by one.
  void clear();
  /// The item is new, or its columns have changed.
  void changed(int32_t item, const std::string& id, const ShopStore::Columns& columns);

 private:
  static constexpr size_t kMost = 64;  // views of each sort

  struct Values : ItemValues {
    std::string column;
    std::map<std::string, int32_t, std::less<>> texts, values;  // numbers by what they stand for
    void put(int32_t item, const std::optional<std::string>& text);
  };
  template <class View>
  struct Kept {
    std::list<std::pair<std::string, std::shared_ptr<const View>>> views;  // used last first
    std::shared_ptr<const View> find(const std::string& key);
    bool has(const std::string& key) const {
      return std::any_of(views.begin(), views.end(), [&](const auto& view) { return view.first == key; });
    }
    void put(const std::string& key, std::shared_ptr<const View> view);
  };

  std::shared_ptr<Values> read_values(const std::string& column);
  std::optional<std::shared_ptr<const ItemSet>> follow(const ItemSet& before, const std::string& condition,
                                                       int32_t item, const std::string& id);

  ShopStore& store_;
  const ItemTable& items_;
  mutable std::mutex mutex_;
  Kept<ItemSet> filters_;
  Kept<Values> values_;
  int64_t version_ = 0;  // of the items; a view that was begun before a change is not kept
};

}  // namespace fewshop
