#include "nn/buffer_pool.h"

#include <gtest/gtest.h>

#include <barrier>
#include <cstdint>
#include <cstring>
#include <set>
#include <thread>
#include <vector>

namespace fewshop::nn {
namespace {

constexpr size_t kSize = size_t{3} << 20;

TEST(BufferPoolTest, GivesTheSameMemoryAgain) {
  void* const first = pooled_buffer(kSize).get();
  EXPECT_EQ(reinterpret_cast<uintptr_t>(first) % 64, 0U);
  EXPECT_EQ(pooled_buffer(kSize).get(), first);
  EXPECT_EQ(pooled_buffer(kSize + kSize / 8).get(), first) << "a little more is there already";
}

TEST(BufferPoolTest, AThreadGetsItsOwnBufferBack) {
  std::barrier both(2);
  auto mine = pooled_buffer(3 * kSize);
  void* const own = mine.get();
  std::thread other([&] {
    auto buffer = pooled_buffer(3 * kSize);
    both.arrive_and_wait();  // each has one
    both.arrive_and_wait();  // the other thread gives its buffer back last
    buffer.reset();
  });
  both.arrive_and_wait();
  mine.reset();
  both.arrive_and_wait();
  other.join();
  EXPECT_EQ(pooled_buffer(3 * kSize).get(), own);
}

TEST(BufferPoolTest, BuffersInUseAreDifferentMemory) {
  std::set<void*> seen;
  std::vector<std::shared_ptr<void>> held;
  for (int i = 0; i < 5; ++i) {
    held.push_back(pooled_buffer(kSize));
    std::memset(held.back().get(), i, kSize);
    EXPECT_TRUE(seen.insert(held.back().get()).second);
  }
  for (int i = 0; i < 5; ++i) EXPECT_EQ(static_cast<char*>(held[i].get())[kSize - 1], i);
}

TEST(BufferPoolTest, ManyThreadsNeverShareABuffer) {
  std::vector<std::thread> threads;
  std::vector<int> wrong(4, 0);
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&wrong, t] {
      for (int i = 0; i < 500; ++i) {
        const auto buffer = pooled_buffer(static_cast<size_t>(1000 + 100 * ((i + t) % 7)));
        std::memset(buffer.get(), t, 1000);
        for (int j = 0; j < 1000; ++j) wrong[t] += static_cast<char*>(buffer.get())[j] != t;
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(4, 0));
}

}  // namespace
}  // namespace fewshop::nn
