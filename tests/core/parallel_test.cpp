#include "core/parallel.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <barrier>
#include <mutex>
#include <numeric>
#include <set>
#include <thread>
#include <vector>

#include "core/cancel.h"
#include "core/error.h"
#include "core/property.h"

namespace fewshop {
namespace {

TEST(ParallelTest, EveryIndexIsVisitedOnceWhateverThreadsAndChunks) {
  expect_property("each index of [0, count) once", [] {
    const int64_t count = *rc::gen::inRange<int64_t>(0, 500);
    const int threads = *rc::gen::inRange(1, 9);
    const int64_t chunk = *rc::gen::inRange<int64_t>(0, 50);
    std::vector<std::atomic<int>> visits(count);
    std::atomic<bool> worker_in_range{true};
    parallel_for(count, threads, chunk, [&](int64_t begin, int64_t end, int worker) {
      if (worker < 0 || worker >= threads) worker_in_range = false;
      for (int64_t i = begin; i < end; ++i) ++visits[i];
    });
    RC_ASSERT(worker_in_range);
    for (const auto& visit : visits) RC_ASSERT(visit == 1);
  });
}

TEST(ParallelTest, TheFirstExceptionIsRethrownAndStopsTheOthers) {
  std::atomic<int64_t> done{0};
  try {
    parallel_for(1'000'000, 4, 1, [&](int64_t begin, int64_t, int) {
      if (begin == 10) throw InvalidInput("row 10");
      ++done;
    });
    FAIL() << "expected InvalidInput";
  } catch (const InvalidInput& e) {
    EXPECT_STREQ(e.what(), "row 10");
  }
  EXPECT_LT(done, 1'000'000);
}

TEST(ParallelTest, ARequestToStopInterrupts) {
  int64_t done = 0;
  EXPECT_THROW(parallel_for(100, 1, 1,
                            [&](int64_t, int64_t, int) {
                              ++done;
                              set_cancelled(true);
                            }),
               Interrupted);
  set_cancelled(false);
  EXPECT_EQ(done, 1);
}

TEST(ParallelTest, WorkMayBeSplitInsideOfWorkAndFromManyThreads) {
  std::atomic<int64_t> done{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller)
    callers.emplace_back([&] {
      for (int round = 0; round < 50; ++round)
        parallel_for(4, 3, 1, [&](int64_t, int64_t, int) {
          parallel_for(5, 2, 1, [&](int64_t begin, int64_t end, int) { done += end - begin; });
        });
    });
  for (auto& caller : callers) caller.join();
  EXPECT_EQ(done, 4 * 50 * 4 * 5);
}

TEST(ParallelTest, ThreadsAreUsedAgain) {
  // Each of two threads waits for the other, so both work in every round.
  std::set<pid_t> seen;
  std::mutex mutex;
  for (int round = 0; round < 20; ++round) {
    std::barrier both(2);
    parallel_for(2, 2, 1, [&](int64_t, int64_t, int) {
      both.arrive_and_wait();
      const std::lock_guard lock(mutex);
      seen.insert(gettid());
    });
  }
  EXPECT_EQ(seen.size(), 2);
}

TEST(ParallelTest, AForkedChildHasThreadsOfItsOwn) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "the thread sanitizer ends a forked child that starts a thread";
#endif
  const auto both_work = [] {
    std::barrier both(2);
    parallel_for(2, 2, 1, [&](int64_t, int64_t, int) { both.arrive_and_wait(); });
  };
  both_work();
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    alarm(20);  // ends the child where it waits for a thread that did not come along
    both_work();
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST(ParallelTest, ZeroThreadsMeansAllCores) {
  EXPECT_GE(thread_count(0), 1);
  EXPECT_EQ(thread_count(3), 3);
}

}  // namespace
}  // namespace fewshop
