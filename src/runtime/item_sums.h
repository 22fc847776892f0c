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
    // Where many slots are taken all are written, one after the other: that also brings them near. (Slots that were
    // left as they are and told apart by a number of the round took a third more time to be filled again.)
    if (8 * static_cast<size_t>(count_) > slots_.size()) {
      std::fill(slots_.begin(), slots_.end(), Slot{});
    } else {
      // From the last to the first: every item is found, as what it stepped over came before it.
      for (int32_t i = count_; i > 0; --i) slots_[find(items_[i])] = {};
    }
    count_ = 0;
  }

  void add(int32_t item, double value) {
    Slot& slot = slots_[find(item)];
    if (slot.place != kNone) {
      sums_[slot.place] += value;
      return;
    }
    slot = {item, ++count_};
    items_[count_] = item;
    sums_[count_] = value;
    if (count_ + 1 == std::ssize(items_)) grow(2 * slots_.size());
  }

  /// 0 where nothing was added.
  double of(int32_t item) const { return sums_[slots_[find(item)].place]; }
  /// Asks for the memory that of(item) looks at first.
  void fetch(int32_t item) const { __builtin_prefetch(&slots_[first(item)]); }

  /// In the order of their first values, and the sum of each.
  std::span<const int32_t> items() const { return std::span(items_).subspan(1, count_); }
  std::span<const double> sums() const { return std::span(sums_).subspan(1, count_); }

 private:
  static constexpr int32_t kNone = 0;
  static constexpr size_t kFirst = 256, kRoom = 2;  // slots to begin with; slots for an item, at least
  struct Slot {
    int32_t item = 0, place = kNone;  // in items_
  };

  /// Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4): numbers that follow one another lie apart.
  size_t first(int32_t item) const { return static_cast<uint32_t>(item) * 2654435769U >> shift_; }

  /// Where the item is, or the free slot for it.
  size_t find(int32_t item) const {
    size_t slot = first(item);
    while ((slots_[slot].place != kNone) & (slots_[slot].item != item)) slot = (slot + 1) & (slots_.size() - 1);
    return slot;
  }

  void grow(size_t size) {
    slots_.assign(size, {});
    shift_ = 33 - std::bit_width(size);
    items_.resize(size / kRoom, -1);
    sums_.resize(size / kRoom);
    for (int32_t i = 1; i <= count_; ++i) slots_[find(items_[i])] = {items_[i], i};
  }

  std::vector<Slot> slots_;  // a power of two
  int shift_ = 0;
  int32_t count_ = 0;
  // [slots / kRoom] Place 0 is nobody's: its sum is what items without one have.
  std::vector<int32_t> items_;
  std::vector<double> sums_;
};

}  // namespace fewshop
