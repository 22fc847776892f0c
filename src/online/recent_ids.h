#pragma once

#include <cstdint>
#include <vector>

namespace fewshop {

/// The last N ids of events, as 64-bit hashes: the quick answer to "was this event seen before?". A hit has to be
/// confirmed in the store, as hashes may collide; an id that is older than all that is remembered counts as new here,
/// and falls out as a duplicate when the store indexes it.
///
/// Two tables of up to N hashes each: when the newer one is full, the older one is dropped. So between N and 2 N ids
/// are remembered, in at most 32 N bytes.
class RecentIds {
 public:
  explicit RecentIds(int64_t at_least = 10'000'000) : capacity_(at_least) {}

  bool contains(uint64_t hash) const {
    hash = hash == 0 ? 1 : hash;
    return newer_.contains(hash) || older_.contains(hash);
  }
  void add(uint64_t hash);
  /// Room for so many more at once.
  void reserve(int64_t ids);
  int64_t size() const { return newer_.size + older_.size; }

 private:
  /// Open addressing; 0 marks a free place, so a hash of 0 is kept as 1.
  struct Table {
    std::vector<uint64_t> places;
    int64_t size = 0;
    bool contains(uint64_t hash) const;
    bool add(uint64_t hash);
    void make_room(int64_t hashes);
  };

  int64_t capacity_;
  Table newer_, older_;
};

}  // namespace fewshop
