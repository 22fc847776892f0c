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
  /// Without items again; the memory stays.
  void clear() {
    if (8 * items_.size() > slots_.size()) {
      std::fill(slots_.begin(), slots_.end(), Slot{});
    } else {
      // From the last to the first: every item is found, as what it stepped over came before it.
      for (size_t i = items_.size(); i-- > 0;) slots_[find(items_[i])].at = kNone;
    }
    items_.clear();
    sums_.clear();
  }

  void add(int32_t item, double value) {
    if (2 * (items_.size() + 1) > slots_.size()) grow();
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
  double of(int32_t item) const {
    if (items_.empty()) return 0;
    const Slot& slot = slots_[find(item)];
    return slot.at == kNone ? 0 : sums_[slot.at];
  }

  /// Asks for the memory that of(item) looks at first.
  void fetch(int32_t item) const {
    if (!items_.empty()) __builtin_prefetch(&slots_[first(item)]);
  }

  /// In the order of their first values, and the sum of each.
  std::span<const int32_t> items() const { return items_; }
  std::span<const double> sums() const { return sums_; }

 private:
  static constexpr int32_t kNone = -1;
  struct Slot {
    int32_t item = 0, at = kNone;  // its place in items_
  };

  /// Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4): numbers that follow one another lie apart.
  size_t first(int32_t item) const { return static_cast<uint32_t>(item) * 2654435769U >> shift_; }

  /// Where the item is, or the free slot for it. At most half of the slots are taken.
  size_t find(int32_t item) const {
    size_t slot = first(item);
    while (slots_[slot].at != kNone && slots_[slot].item != item) slot = (slot + 1) & (slots_.size() - 1);
    return slot;
  }

  void grow() {
    constexpr size_t kFirst = 256;
    const size_t size = slots_.empty() ? kFirst : 2 * slots_.size();
    slots_.assign(size, {});
    shift_ = 33 - std::bit_width(size);
    for (size_t i = 0; i < items_.size(); ++i) slots_[find(items_[i])] = {items_[i], static_cast<int32_t>(i)};
  }

  std::vector<Slot> slots_;  // a power of two
  int shift_ = 0;
  std::vector<int32_t> items_;
  std::vector<double> sums_;
};

}  // namespace fewshop
