#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <limits>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/time.h"
#include "online/kinds.h"
#include "store/event.h"

namespace fewshop {

/// A row of the table `events` as serving keeps it: all that any scenario's [live] can ask of it. 32 bytes.
struct LiveRow {
  Micros time = 0;
  int32_t item = -1;      // number in the ItemTable
  uint32_t event = 0;     // hash of the event's id: rows of one event share it
  float number = 0;       // the value of the column that [live] names for this kind; NaN = not given
  float weight = 0;       // the value of the column that rows.weight names; NaN = not given
  uint32_t tie = 0;       // hash of the value of the column that episode.ties names
  uint16_t kind = 0;      // number of the kind of event
  uint16_t position = 0;  // of the item in its event
};

static_assert(sizeof(LiveRow) == 32);

/// A stored row in this form: `item` and `kind` are its numbers, `kinds` says which columns it keeps.
LiveRow live_row(const EventRow& row, int32_t item, int32_t kind, const EventKinds& kinds);

/// The rows of users and guests, by key, as far as memory allows: those asked for last, each with its latest rows, read
/// from the store when they are first asked for. What is added to a key that is not in memory needs no work: the store
/// has it. So the answer is always that of the store, faster. Rows whose time has not come are kept beside the latest
/// ones, and push none of them out.
///
/// Threads: any number. A key is loaded under its shard's lock, so that a row is neither lost nor counted twice between
/// reading the store and the first add; a row that is there already (same event, position, item and kind) is not added
/// again, whatever its time.
class LiveRows {
 public:
  /// Reads the rows of a key, oldest first: the latest rows_per_key up to `now`, the first rows_per_key after it.
  using Load = std::function<void(std::string_view key, Micros now, std::vector<LiveRow>& rows)>;

  struct Options {
    int64_t most_bytes = int64_t{1} << 30;  // of rows and keys together, about
    int rows_per_key = 1000;                // the latest; at least 1
  };

  LiveRows(const Options& options, Load load);

  /// Copies the latest rows of a key up to `until`, oldest first by time. `until` and `now` do not go back, but to
  /// where a key has no row in between.
  void read(std::string_view key, Micros until, std::vector<LiveRow>& out);
  void add(std::string_view key, const LiveRow& row, Micros now);
  /// Rows that were in memory.
  int64_t drop(std::string_view key);
  void drop_item(int32_t item);
  void clear();

  struct Usage {
    int64_t keys = 0, rows = 0, bytes = 0;
  };
  Usage usage() const;

 private:
  static constexpr size_t kShards = 64;

  struct Entry {
    std::string key;
    std::vector<LiveRow> rows;
    Micros known_until = std::numeric_limits<Micros>::max();  // rows after it are not all there: none is
  };
  struct Shard {
    mutable std::mutex mutex;
    std::list<Entry> entries;  // used last first
    std::unordered_map<std::string_view, std::list<Entry>::iterator> index;
    int64_t bytes = 0;
  };

  static int64_t bytes_of(const Entry& entry);
  Shard& shard_of(std::string_view key) { return shards_[std::hash<std::string_view>()(key) >> 8 & (kShards - 1)]; }
  void evict(Shard& shard);
  void trim(Entry& entry, Micros now) const;
  void load(Entry& entry, Micros now);

  Options options_;
  Load load_;
  std::array<Shard, kShards> shards_;
};

}  // namespace fewshop
