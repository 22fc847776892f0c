#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <span>
#include <vector>

namespace fewshop {

/// A set of items by their numbers, one bit each; items beyond its end, and negative numbers, are not in it.
class ItemSet {
 public:
  ItemSet() = default;
  static ItemSet of(std::span<const int32_t> items) {
    ItemSet set;
    for (const int32_t item : items) set.set(item, true);
    return set;
  }

  bool contains(int32_t item) const {
    const auto word = static_cast<size_t>(item) / 64;
    return item >= 0 && word < words_.size() && (words_[word] >> (item % 64) & 1) != 0;
  }
  void set(int32_t item, bool in) {
    if (item < 0) return;
    const auto word = static_cast<size_t>(item) / 64;
    if (word >= words_.size()) {
      if (!in) return;
      words_.resize(word + 1, 0);
    }
    const uint64_t bit = uint64_t{1} << (item % 64);
    size_ += int64_t{in} - static_cast<int64_t>(words_[word] >> (item % 64) & 1);
    end_ = std::max<int64_t>(end_, item + 1);
    words_[word] = in ? words_[word] | bit : words_[word] & ~bit;
  }
  /// Empty again; the memory stays.
  void clear() {
    words_.clear();
    size_ = end_ = 0;
  }
  /// Room for the items below n, so that set() needs no more.
  void reserve(int64_t n) { words_.resize(std::max(words_.size(), static_cast<size_t>(n + 63) / 64), 0); }

  /// Adds all items below n that `other` does not have.
  void add_absent(const ItemSet& other, int64_t n) {
    reserve(n);
    for (int64_t word = 0; 64 * word < n; ++word) {
      const uint64_t added = ~other.word(word) & below(n, word) & ~words_[word];
      words_[word] |= added;
      size_ += std::popcount(added);
    }
    end_ = std::max(end_, n);
  }

  /// How many items below n are in the set.
  int64_t count(int64_t n) const {
    if (n >= end_) return size_;
    int64_t count = 0;
    for (int64_t word = 0; 64 * word < n; ++word) count += std::popcount(this->word(word) & below(n, word));
    return count;
  }

  /// Calls use(item) for every item below n that is not in the set, ascending.
  template <class Use>
  void each_absent(int64_t n, Use&& use) const {
    for (int64_t word = 0; 64 * word < n; ++word)
      for (uint64_t bits = ~this->word(word) & below(n, word); bits; bits &= bits - 1)
        use(static_cast<int32_t>(64 * word + std::countr_zero(bits)));
  }

  /// The items 64 * word and on, the first in the lowest bit.
  uint64_t word(int64_t word) const { return word < std::ssize(words_) ? words_[word] : 0; }

 private:
  /// Bits of the items below n in a word that begins below n.
  static uint64_t below(int64_t n, int64_t word) {
    return n - 64 * word >= 64 ? ~uint64_t{0} : (uint64_t{1} << (n - 64 * word)) - 1;
  }

  std::vector<uint64_t> words_;
  int64_t size_ = 0;  // items in the set
  int64_t end_ = 0;   // they are below this
};

/// What is known of the items that a search leaves out: how deep among all the best of the rest may lie.
struct LeftOut {
  int named = 0;          // so many one by one (seen, say): they may be the very best of all
  bool filtered = false;  // others by what they are: perhaps just what is liked
};

}  // namespace fewshop
