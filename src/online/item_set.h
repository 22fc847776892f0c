#pragma once

#include <cstdint>
#include <vector>

namespace fewshop {

/// A set of shop items, one bit each; items beyond its end are not in it.
class ItemSet {
 public:
  bool contains(int32_t item) const {
    const auto word = static_cast<size_t>(item) / 64;
    return item >= 0 && word < words_.size() && (words_[word] >> (item % 64) & 1) != 0;
  }
  void set(int32_t item, bool in) {
    const auto word = static_cast<size_t>(item) / 64;
    if (word >= words_.size()) words_.resize(word + 1, 0);
    const uint64_t bit = uint64_t{1} << (item % 64);
    words_[word] = in ? words_[word] | bit : words_[word] & ~bit;
  }

 private:
  std::vector<uint64_t> words_;
};

}  // namespace fewshop
