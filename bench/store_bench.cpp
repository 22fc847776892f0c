// The durable store of a served shop, in wall time (the disk is part of it) and on one thread.
//   append       events/s that ShopStore::write() accepts in batches of 1, 64 and 500, durable each; beside it, in
//   turns:
//     sqlite_per_s   one row with the same bytes in a bare SQLite table, the same settings
//     fsync_per_s    fdatasync() after a write of as many bytes to a plain file
//   index        events/s that index() moves from the queue to a table that holds `rows` events already
//   history      one user's 20 latest events: `queued` of 20 still in the queue
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/random.h"
#include "store/event_codec.h"
#include "store/shop_store.h"
#include "support/temp_dir.h"

namespace fewshop {
namespace {

constexpr Micros kNow = 1'700'000'000 * kSecond;

/// Ids as shops have them: a UUID, users and items of some ten characters.
std::vector<Event> events(Random& random, int64_t first, int count, int users) {
  std::vector<Event> events(count);
  for (int i = 0; i < count; ++i) {
    Event& e = events[i];
    e.event_id = fmt::format("{:08x}-{:04x}-4c3a-9d1e-{:012d}", random.below(1u << 31), random.below(65536), first + i);
    e.time = kNow - static_cast<Micros>(random.below(1'000'000'000)) * 1000;
    e.event = random.below(10) == 0 ? "add_to_cart" : "view_item";
    e.user_id = fmt::format("user-{}", random.below(users));
    e.session_id = fmt::format("s{}", random.below(1'000'000));
    e.items = {{fmt::format("sku-{}", random.below(100'000))}};
    e.items[0].price = 9.99;
  }
  return events;
}

double seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

class BareTable {
 public:
  explicit BareTable(const std::string& path) {
    sqlite3_open(path.c_str(), &db_);
    for (const char* sql :
         {"pragma journal_mode = wal", "pragma synchronous = full", "pragma wal_autocheckpoint = 4000",
          "create table queue (batch integer primary key, events blob not null)"})
      need(sqlite3_exec(db_, sql, nullptr, nullptr, nullptr));
    need(sqlite3_prepare_v2(db_, "insert into queue (events) values (?)", -1, &insert_, nullptr));
  }
  ~BareTable() {
    sqlite3_finalize(insert_);
    sqlite3_close(db_);
  }
  void append(const std::string& bytes) {
    sqlite3_bind_blob(insert_, 1, bytes.data(), static_cast<int>(bytes.size()), SQLITE_STATIC);
    need(sqlite3_step(insert_));
    sqlite3_reset(insert_);
  }

 private:
  void need(int status) {
    if (status != SQLITE_OK && status != SQLITE_DONE) throw std::runtime_error(sqlite3_errmsg(db_));
  }
  sqlite3* db_ = nullptr;
  sqlite3_stmt* insert_ = nullptr;
};

void append(benchmark::State& state) {
  const int batch = static_cast<int>(state.range(0));
  const testing::TempDir folder;
  const auto store = ShopStore::open(folder / "shop.db", {});
  BareTable bare(folder / "bare.db");
  const int file = ::open((folder / "file").c_str(), O_WRONLY | O_CREAT, 0644);
  Random random(1);
  double ours = 0, sqlite = 0, sync = 0;
  int64_t writes = 0;
  for (auto _ : state) {
    const auto some = events(random, writes * batch, batch, 50'000);
    const std::string bytes = encode_events(some);
    double begin = seconds();
    store->write([&](ShopStore::Writer& writer) { writer.append(some); });
    double end = seconds();
    state.SetIterationTime(end - begin);
    ours += end - begin;
    begin = seconds();
    bare.append(bytes);
    end = seconds();
    sqlite += end - begin;
    begin = seconds();
    if (::write(file, bytes.data(), bytes.size()) < 0 || ::fdatasync(file) != 0) throw std::runtime_error("fdatasync");
    sync += seconds() - begin;
    ++writes;
  }
  ::close(file);
  const double n = static_cast<double>(writes);
  state.counters["events_per_s"] = n * batch / ours;
  state.counters["sqlite_per_s"] = n * batch / sqlite;
  state.counters["fsync_per_s"] = n / sync;
}
BENCHMARK(append)
    ->ArgName("batch")
    ->Arg(1)
    ->Arg(64)
    ->Arg(500)
    ->UseManualTime()
    ->Unit(benchmark::kMicrosecond)
    ->MinTime(3);

void index(benchmark::State& state) {
  const int64_t rows = state.range(0);
  constexpr int kBatch = 20'000;
  const testing::TempDir folder;
  const auto store = ShopStore::open(folder / "shop.db", {});
  Random random(2);
  int64_t made = 0;
  const auto fill = [&] {
    for (int part = 0; part < kBatch / 500; ++part, made += 500) {
      const auto some = events(random, made, 500, 50'000);
      store->write([&](ShopStore::Writer& writer) { writer.append(some); });
    }
  };
  while (made < rows) {
    fill();
    store->index(kBatch, kNow);
  }
  double ours = 0;
  int64_t moved = 0;
  for (auto _ : state) {
    fill();
    const double begin = seconds();
    moved += store->index(kBatch, kNow);
    state.SetIterationTime(seconds() - begin);
    ours += seconds() - begin;
  }
  state.counters["events_per_s"] = static_cast<double>(moved) / ours;
}
BENCHMARK(index)
    ->ArgName("rows")
    ->Arg(0)
    ->Arg(1'000'000)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond)
    ->Iterations(5);

void history(benchmark::State& state) {
  const int queued = static_cast<int>(state.range(0));
  constexpr int kUsers = 10'000, kEvents = 20;
  const testing::TempDir folder;
  const auto store = ShopStore::open(folder / "shop.db", {});
  Random random(3);
  for (int round = 0; round < kEvents; ++round) {
    if (round == kEvents - queued) store->index(kUsers * kEvents, kNow);
    auto some = events(random, int64_t{round} * kUsers, kUsers, kUsers);
    for (int u = 0; u < kUsers; ++u) some[u].user_id = fmt::format("user-{}", u);
    store->write([&](ShopStore::Writer& writer) { writer.append(some); });
  }
  if (queued == 0) store->index(kUsers * kEvents, kNow);
  int64_t rows = 0;
  for (auto _ : state)
    rows +=
        static_cast<int64_t>(store->history(fmt::format("user-{}", random.below(kUsers)), "", kEvents, kNow).size());
  if (rows != state.iterations() * kEvents) throw std::runtime_error("rows are missing");
}
BENCHMARK(history)->ArgName("queued")->Arg(0)->Arg(2)->Arg(20)->UseRealTime()->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace fewshop
