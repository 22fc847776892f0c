#include "online/live_rows.h"

#include <algorithm>

#include "core/hash.h"

namespace fewshop {
namespace {

constexpr int64_t kEntryOverhead = 160;  // list node, index node, allocator

bool same_row(const LiveRow& a, const LiveRow& b) {
  return a.event == b.event && a.position == b.position && a.time == b.time && a.item == b.item && a.kind == b.kind;
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

void LiveRows::trim(std::vector<LiveRow>& rows) const {
  if (std::ssize(rows) > options_.rows_per_key) rows.erase(rows.begin(), rows.end() - options_.rows_per_key);
}

void LiveRows::read(std::string_view key, Micros until, std::vector<LiveRow>& out) {
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  auto found = shard.index.find(key);
  if (found == shard.index.end()) {
    Entry entry{std::string(key), {}};
    load_(key, entry.rows);
    trim(entry.rows);
    entry.rows.shrink_to_fit();
    shard.entries.push_front(std::move(entry));
    found = shard.index.emplace(shard.entries.front().key, shard.entries.begin()).first;
    shard.bytes += bytes_of(shard.entries.front());
    evict(shard);
  } else {
    shard.entries.splice(shard.entries.begin(), shard.entries, found->second);
  }
  const auto& rows = shard.entries.front().rows;
  out.clear();
  for (const LiveRow& row : rows)
    if (row.time <= until) out.push_back(row);
}

void LiveRows::add(std::string_view key, const LiveRow& row) {
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.index.find(key);
  if (found == shard.index.end()) return;
  Entry& entry = *found->second;
  for (auto known = entry.rows.rbegin(); known != entry.rows.rend(); ++known)
    if (same_row(*known, row)) return;
  shard.bytes -= bytes_of(entry);
  // Late events find their place; of equal times the one that came first stays first.
  entry.rows.insert(std::upper_bound(entry.rows.begin(), entry.rows.end(), row,
                                     [](const LiveRow& a, const LiveRow& b) { return a.time < b.time; }),
                    row);
  trim(entry.rows);
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
    for (Entry& entry : shard.entries) std::erase_if(entry.rows, [&](const LiveRow& row) { return row.item == item; });
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
