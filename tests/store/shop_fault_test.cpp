// What is there after the disk, the power or the process failed: every write() that returned, once and whole; of those
// that threw, all or nothing.
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <map>
#include <set>
#include <thread>

#include "core/error.h"
#include "core/random.h"
#include "store/fault_vfs.h"
#include "store/shop_store.h"
#include "store/shop_support.h"
#include "support/temp_dir.h"

namespace fewshop {
namespace {

using ::testing::HasSubstr;
using namespace testing;

constexpr int kEventsInBatch = 5;

/// Batch n of a test: events "n-0" to "n-4" of as many users.
std::vector<Event> batch(int n) {
  std::vector<Event> events;
  for (int i = 0; i < kEventsInBatch; ++i) {
    events.push_back(event(fmt::format("{}-{}", n, i), n, fmt::format("u{}", i), fmt::format("i{}", n % 7)));
    events.back().extra = R"({"text":")" + std::string(static_cast<size_t>(n * 37 % 700), 'x') + "\"}";
  }
  return events;
}

/// Checks what the store holds; `acknowledged` and `failed` are batches.
void check(ShopStore& store, const std::set<int>& acknowledged, const std::set<int>& failed) {
  std::map<int, int> found;
  std::set<std::string> ids;
  store.each_event([&](const EventRow& row) {
    EXPECT_TRUE(ids.insert(row.event_id).second) << row.event_id << " is there twice";
    ++found[std::stoi(row.event_id)];
  });
  for (const int n : acknowledged) EXPECT_EQ(found[n], kEventsInBatch) << "acknowledged batch " << n;
  for (const auto& [n, events] : found) {
    if (events == 0) continue;
    EXPECT_EQ(events, kEventsInBatch) << "batch " << n;
    EXPECT_TRUE(acknowledged.contains(n) || failed.contains(n)) << "batch " << n;
  }
  for (const int n : acknowledged) EXPECT_TRUE(store.has_event(fmt::format("{}-0", n)));
}

class ShopFaultTest : public ::testing::Test {
 protected:
  std::unique_ptr<ShopStore> open() {
    ShopStore::Options options;
    options.vfs = vfs.name();
    options.busy_ms = 200;
    options.checkpoint_pages = 40;
    return ShopStore::open(folder / "shop.db", options);
  }
  /// Appends batch n; whether it was acknowledged.
  bool append(ShopStore& store, int n) {
    try {
      store.write([&](ShopStore::Writer& writer) { writer.append(batch(n)); });
      acknowledged.insert(n);
      return true;
    } catch (const Failure& error) {
      message = error.what();
      failed.insert(n);
      return false;
    }
  }

  TempDir folder;
  FaultVfs vfs;
  std::set<int> acknowledged, failed;
  std::string message;
};

TEST_F(ShopFaultTest, AFailedSyncIsAFailureAndLaterWritesAreDurable) {
  for (const bool keeps : {false, true}) {
    auto store = open();
    const int first = keeps ? 100 : 0;
    EXPECT_TRUE(append(*store, first + 1));
    vfs.fail_sync(1, 1, keeps);
    EXPECT_FALSE(append(*store, first + 2));
    EXPECT_THAT(message, HasSubstr("cannot be written"));
    EXPECT_FALSE(store->has_event(fmt::format("{}-0", first + 2)));
    check(*store, acknowledged, failed);
    EXPECT_TRUE(append(*store, first + 3));
    EXPECT_EQ(store->index(8, 1000), 10);
    EXPECT_TRUE(append(*store, first + 4));
    check(*store, acknowledged, failed);
    // Power goes at once: what was acknowledged after the failure is on the disk all the same.
    vfs.cut_power_after(0);
    EXPECT_FALSE(append(*store, first + 5));
    store.reset();
    vfs.restore_power(7);
    store = open();
    check(*store, acknowledged, failed);
  }
}

TEST_F(ShopFaultTest, WhileSyncsFailEveryWriteFailsAndReadersGoOn) {
  auto store = open();
  EXPECT_TRUE(append(*store, 1));
  vfs.fail_sync(1, 6);
  int failures = 0;
  for (int n = 2; n < 20 && !append(*store, n); ++n) {
    ++failures;
    EXPECT_EQ(store->history("u1", "", 100, 1000).size(), 1u);
  }
  EXPECT_GE(failures, 2);
  EXPECT_EQ(store->history("u1", "", 100, 1000).size(), 2u);
  check(*store, acknowledged, failed);
  store.reset();
  check(*open(), acknowledged, failed);
}

TEST_F(ShopFaultTest, EverySyncOfAnyOperationMayFail) {
  for (int n = 1; n <= 12; ++n) {
    SCOPED_TRACE(n);
    auto store = open();
    vfs.fail_sync(n, 1, n % 2 == 0);
    for (int i = 0; i < 4; ++i) {
      append(*store, n * 100 + i);
      try {
        if (i == 2) store->index(100, 100000);
        if (i == 3) store->write([&](ShopStore::Writer& writer) { writer.put_setting("n", n); });
        store->truncate_log();
      } catch (const Failure&) {
      }
    }
    vfs.fail_sync(0, 0);
    check(*store, acknowledged, failed);
    // With the power gone, what the failed sync dropped is gone, too.
    vfs.cut_power_after(0);
    append(*store, n * 100 + 50);
    store.reset();
    vfs.restore_power(static_cast<uint64_t>(n));
    check(*open(), acknowledged, failed);
  }
}

TEST_F(ShopFaultTest, AFullDiskFailsTheWriteAndLaterOnesSucceedWhenThereIsRoom) {
  auto store = open();
  EXPECT_TRUE(append(*store, 1));
  for (int round = 0; round < 3; ++round) {
    vfs.limit_size(60'000 + 4096 * round);
    int n = round * 1000 + 2;
    while (n < round * 1000 + 200 && append(*store, n)) ++n;
    EXPECT_LT(n, round * 1000 + 200);
    EXPECT_THAT(message, HasSubstr("disk is full"));
    EXPECT_FALSE(append(*store, n + 1));
    EXPECT_THROW(store->index(10000, 100000), Failure);
    check(*store, acknowledged, failed);
    vfs.limit_size(-1);
    EXPECT_TRUE(append(*store, n + 2));
    EXPECT_GT(store->index(10000, 100000), 0);
    check(*store, acknowledged, failed);
    store->truncate_log();
  }
  store.reset();
  check(*open(), acknowledged, failed);
}

TEST_F(ShopFaultTest, PowerLossAtAnyPointKeepsWhatWasAcknowledged) {
  Random random(11);
  int n = 0;
  for (int round = 0; round < 60; ++round) {
    SCOPED_TRACE(round);
    auto store = open();
    check(*store, acknowledged, failed);
    // Every second time syncs have failed before the power goes.
    if (round % 2) vfs.fail_sync(1 + static_cast<int64_t>(random.below(25)), 1 + random.between(0, 2), random.below(2));
    vfs.cut_power_after(static_cast<int64_t>(random.below(round % 3 == 0 ? 400 : 60)));
    while (!vfs.power_is_cut()) {
      append(*store, ++n);
      try {
        if (random.below(4) == 0) store->index(20, 1'000'000);
        if (random.below(10) == 0) store->truncate_log();
      } catch (const Error&) {
      }
    }
    store.reset();
    vfs.restore_power(random.below(1u << 30));
  }
  check(*open(), acknowledged, failed);
  EXPECT_GT(acknowledged.size(), 100u);
}

TEST(ShopKillTest, AKilledServerLosesNothingThatItHasAcknowledged) {
  const TempDir folder;
  Random random(5);
  std::set<int> acknowledged, failed;
  for (int round = 0; round < 12; ++round) {
    int pipe[2];
    ASSERT_EQ(::pipe(pipe), 0);
    const std::string first = std::to_string(round * 100'000);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::dup2(pipe[1], 1);
      ::close(pipe[0]);
      ::execl(FEWSHOP_APPEND_UNTIL_KILLED, "append_until_killed", (folder / "shop.db").c_str(), first.c_str(), nullptr);
      ::_exit(127);
    }
    ::close(pipe[1]);
    std::FILE* out = ::fdopen(pipe[0], "r");
    int number = 0;
    // Its first line says that it has opened the database.
    ASSERT_EQ(std::fscanf(out, "%d", &number), 1);
    // Killed some microseconds after one of its batches, wherever it is then; what it said before it died still comes.
    const auto batches = 1 + random.below(40);
    int last = round * 100'000;
    for (uint64_t heard = 1; std::fscanf(out, "%d", &number) == 1; ++heard) {
      acknowledged.insert(last = number);
      if (heard != batches) continue;
      std::this_thread::sleep_for(std::chrono::microseconds(random.below(3000)));
      ::kill(child, SIGKILL);
    }
    std::fclose(out);
    ::waitpid(child, nullptr, 0);
    failed.insert(last + 1);  // it was writing this one, and may have had no time to say so
    const auto store = ShopStore::open(folder / "shop.db", {});
    check(*store, acknowledged, failed);
  }
  EXPECT_GT(acknowledged.size(), 100u);
}

}  // namespace
}  // namespace fewshop
