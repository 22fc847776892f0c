#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <span>
#include <vector>

namespace fewshop {

/// Sums by item where few of many items have one: a hash table with open addressing, which lies in the nearest caches
/// whatever the number of items is. Allocates only when there are more items than ever before.
class ItemSums {
 public:
  ItemSums() { grow(kFirst); }

  /// Without items again; the memory stays.
  void clear() {
    if (8 * items_.size() > slots_.size()) {
      std::fill(slots_.begin(), slots_.end(), Slot{});
    } else {
      // From the last to the first: every item is found, as what it stepped over came before it.
      for (size_t i = items_.size(); i-- > 1;) slots_[find(items_[i])] = {};
    }
    items_.resize(1);
    sums_.resize(1);
  }

  void add(int32_t item, double value) {
    if (kRoom * items_.size() > slots_.size()) grow(2 * slots_.size());
    Slot& slot = slots_[find(item)];
    if (slot.at == kNone) {
      slot = {item, static_cast<int32_t>(items_.size())};
      items_.push_back(item);
      sums_.push_back(value);
    } else {
      sums_[slot.at] += value;
    }
  }

  /// 0 where nothing was added.
  double of(int32_t item) const { return sums_[slots_[find(item)].at]; }
  /// Asks for the memory that of(item) looks at first.
  void fetch(int32_t item) const { __builtin_prefetch(&slots_[first(item)]); }

  /// In the order of their first values, and the sum of each.
  std::span<const int32_t> items() const { return std::span(items_).subspan(1); }
  std::span<const double> sums() const { return std::span(sums_).subspan(1); }

 private:
  static constexpr int32_t kNone = 0;
  static constexpr size_t kFirst = 256, kRoom = 2;  // slots to begin with; slots for an item, at least
  struct Slot {
    int32_t item = 0, at = kNone;  // its place in items_
  };

  /// Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4): numbers that follow one another lie apart.
  size_t first(int32_t item) const { return static_cast<uint32_t>(item) * 2654435769U >> shift_; }

  /// Where the item is, or the free slot for it.
  size_t find(int32_t item) const {
    size_t slot = first(item);
    while ((slots_[slot].at != kNone) & (slots_[slot].item != item)) slot = (slot + 1) & (slots_.size() - 1);
    return slot;
  }

  void grow(size_t size) {
    slots_.assign(size, {});
    shift_ = 33 - std::bit_width(size);
    for (size_t i = 1; i < items_.size(); ++i) slots_[find(items_[i])] = {items_[i], static_cast<int32_t>(i)};
  }

  std::vector<Slot> slots_;  // a power of two
  int shift_ = 0;
  // Place 0 is nobody's: its sum is what items without one have.
  std::vector<int32_t> items_{-1};
  std::vector<double> sums_{0.0};
};

}  // namespace fewshop
