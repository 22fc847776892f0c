#include "online/recent_ids.h"

#include <algorithm>
#include <utility>

namespace fewshop {
namespace {

constexpr size_t kFirstPlaces = 1024;

uint64_t kept(uint64_t hash) { return hash == 0 ? 1 : hash; }

}  // namespace

bool RecentIds::Table::contains(uint64_t hash) const {
  if (places.empty()) return false;
  const size_t mask = places.size() - 1;
  for (size_t at = hash & mask; places[at] != 0; at = (at + 1) & mask)
    if (places[at] == hash) return true;
  return false;
}

bool RecentIds::Table::add(uint64_t hash) {
  make_room(size + 1);
  const size_t mask = places.size() - 1;
  size_t at = hash & mask;
  for (; places[at] != 0; at = (at + 1) & mask)
    if (places[at] == hash) return false;
  places[at] = hash;
  ++size;
  return true;
}

/// At most three of four places are taken.
void RecentIds::Table::make_room(int64_t hashes) {
  if (hashes * 4 <= std::ssize(places) * 3) return;
  size_t wanted = std::max(kFirstPlaces, places.size());
  while (hashes * 4 > static_cast<int64_t>(wanted) * 3) wanted *= 2;
  std::vector<uint64_t> old(wanted);
  old.swap(places);
  size = 0;
  for (const uint64_t hash : old)
    if (hash != 0) add(hash);
}

void RecentIds::reserve(int64_t ids) { newer_.make_room(std::min(newer_.size + ids, capacity_)); }

void RecentIds::add(uint64_t hash) {
  if (newer_.size >= capacity_) {
    older_ = std::exchange(newer_, {});
  }
  newer_.add(kept(hash));
}

}  // namespace fewshop
