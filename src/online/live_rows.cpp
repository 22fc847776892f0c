#include "online/live_rows.h"

#include <algorithm>

#include "core/hash.h"

namespace fewshop {
namespace {

constexpr int64_t kEntryOverhead = 160;  // list node, index node, allocator

bool same_row(const LiveRow& a, const LiveRow& b) {
  return a.event == b.event && a.position == b.position && a.item == b.item && a.kind == b.kind;
}

/// The first row after a time.
auto after(std::vector<LiveRow>& rows, Micros time) {
  return std::upper_bound(rows.begin(), rows.end(), time, [](Micros at, const LiveRow& row) { return at < row.time; });
}

}  // namespace

LiveRow live_row(const EventRow& row, int32_t item, int32_t kind, const EventKinds& kinds) {
  const EventKinds::Kept kept = kinds.kept(kind, row);
  return {row.time,
          item,
          static_cast<uint32_t>(hash64(row.event_id)),
          kept.number,
          kept.weight,
          kept.tie,
          static_cast<uint16_t>(kind),
          static_cast<uint16_t>(row.position)};
}

LiveRows::LiveRows(const Options& options, Load load) : options_(options), load_(std::move(load)) {}

int64_t LiveRows::bytes_of(const Entry& entry) {
  return kEntryOverhead + static_cast<int64_t>(entry.key.size() + entry.rows.capacity() * sizeof(LiveRow));
}

void LiveRows::trim(Entry& entry, Micros now) const {
  auto& rows = entry.rows;
  auto future = after(rows, now);
  if (const auto past = future - rows.begin(); past > options_.rows_per_key) {
    rows.erase(rows.begin(), future - options_.rows_per_key);
    future = rows.begin() + options_.rows_per_key;
  }
  if (rows.end() - future < options_.rows_per_key) return;
  entry.known_until = std::min(entry.known_until, (future + options_.rows_per_key - 1)->time - 1);
  rows.erase(after(rows, entry.known_until), rows.end());
}

void LiveRows::load(Entry& entry, Micros now) {
  entry.rows.clear();
  entry.known_until = std::numeric_limits<Micros>::max();
  load_(entry.key, now, entry.rows);
  trim(entry, now);
  entry.rows.shrink_to_fit();
}

void LiveRows::read(std::string_view key, Micros until, std::vector<LiveRow>& out) {
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  auto found = shard.index.find(key);
  if (found == shard.index.end()) {
    Entry entry{std::string(key), {}};
    load(entry, until);
    shard.entries.push_front(std::move(entry));
    found = shard.index.emplace(shard.entries.front().key, shard.entries.begin()).first;
    shard.bytes += bytes_of(shard.entries.front());
    evict(shard);
  } else {
    shard.entries.splice(shard.entries.begin(), shard.entries, found->second);
    if (Entry& entry = shard.entries.front(); until > entry.known_until) {
      shard.bytes -= bytes_of(entry);
      try {
        load(entry, until);
      } catch (...) {
        shard.index.erase(found);
        shard.entries.pop_front();
        throw;
      }
      shard.bytes += bytes_of(entry);
      evict(shard);
    }
  }
  auto& rows = shard.entries.front().rows;
  const auto end = after(rows, until);
  out.assign(end - std::min<int64_t>(end - rows.begin(), options_.rows_per_key), end);
}

void LiveRows::add(std::string_view key, const LiveRow& row, Micros now) {
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.index.find(key);
  if (found == shard.index.end()) return;
  Entry& entry = *found->second;
  if (row.time > entry.known_until) return;
  for (auto known = entry.rows.rbegin(); known != entry.rows.rend(); ++known)
    if (same_row(*known, row)) return;
  shard.bytes -= bytes_of(entry);
  // Late events find their place; of equal times the one that came first stays first.
  entry.rows.insert(after(entry.rows, row.time), row);
  trim(entry, now);
  shard.bytes += bytes_of(entry);
  evict(shard);
}

int64_t LiveRows::drop(std::string_view key) {
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.index.find(key);
  if (found == shard.index.end()) return 0;
  const auto entry = found->second;
  const int64_t rows = std::ssize(entry->rows);
  shard.bytes -= bytes_of(*entry);
  shard.index.erase(found);
  shard.entries.erase(entry);
  return rows;
}

void LiveRows::drop_item(int32_t item) {
  for (Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    for (auto entry = shard.entries.begin(); entry != shard.entries.end();) {
      const auto before = std::ssize(entry->rows);
      const auto erased = std::erase_if(entry->rows, [&](const LiveRow& row) { return row.item == item; });
      if (erased == 0 || before < options_.rows_per_key) {
        ++entry;
        continue;
      }
      // Older rows, which had no room, are among the latest now.
      shard.bytes -= bytes_of(*entry);
      shard.index.erase(entry->key);
      entry = shard.entries.erase(entry);
    }
  }
}

void LiveRows::clear() {
  for (Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    shard.index.clear();
    shard.entries.clear();
    shard.bytes = 0;
  }
}

void LiveRows::evict(Shard& shard) {
  const int64_t most = options_.most_bytes / static_cast<int64_t>(kShards);
  while (shard.bytes > most && shard.entries.size() > 1) {
    const Entry& oldest = shard.entries.back();
    shard.bytes -= bytes_of(oldest);
    shard.index.erase(oldest.key);
    shard.entries.pop_back();
  }
}

LiveRows::Usage LiveRows::usage() const {
  Usage usage;
  for (const Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    usage.keys += std::ssize(shard.entries);
    usage.bytes += shard.bytes;
    for (const Entry& entry : shard.entries) usage.rows += std::ssize(entry.rows);
  }
  return usage;
}

}  // namespace fewshop
