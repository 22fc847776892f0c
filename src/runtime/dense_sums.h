#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace fewshop {

/// Sums by item where many values come: an array over all items and a list of those that have one. It takes no look-up
/// and no branch to add; where few items have a sum, a hash table (item_sums.h) needs less of the caches.
class DenseSums {
 public:
  explicit DenseSums(size_t items) : sums_(items, 0.0), items_(items + 1) {}

  void clear() {
    for (const int32_t item : items()) sums_[item] = 0;
    count_ = 0;
  }

  /// `value` is not below 0; 0 adds nothing.
  void add(int32_t item, double value) {
    const double before = sums_[item];
    items_[count_] = item;
    count_ += (before == 0) & (value > 0);
    sums_[item] = before + value;
  }

  double of(int32_t item) const { return sums_[item]; }
  /// Asks for the memory that add(item) changes.
  void fetch(int32_t item) const { __builtin_prefetch(&sums_[item], 1); }

  /// In the order of their first values.
  std::span<const int32_t> items() const { return std::span(items_).first(count_); }

 private:
  std::vector<double> sums_;    // [items]
  std::vector<int32_t> items_;  // room for all of them and one that is written and not counted
  size_t count_ = 0;
};

}  // namespace fewshop
