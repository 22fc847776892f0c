// Members of the baselines answer without allocating once their workspace is warm.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "learner/baseline/synthetic.h"

namespace {
std::atomic<int64_t> allocations{0};
}

// Counts what this test program allocates, and what the library on its behalf.
void* operator new(size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size ? size : 1)) return memory;
  throw std::bad_alloc();
}
void* operator new(size_t size, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(size ? size : 1);
}
// Not inlined: the compiler would take free() for a mistake where it sees operator new beside it.
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace fewshop {
namespace {

TEST(AllocationTest, AWarmWorkspaceIsReusedWithoutAllocation) {
  for (const Problem problem : {Problem::kRating, Problem::kRanking}) {
    const auto s = testing::synthetic(problem);
    for (const char* name :
         {"global-mean", "item-mean", "bias", "item-knn", "als", "popularity", "ease", "session-knn"}) {
      if (!find_baseline(name)->fits(problem)) continue;
      const auto member = testing::fit_one(name, s.input());
      std::vector<SupportRow> support;
      for (int i = 0; i < 20; ++i) support.push_back({i, 1 + i % 3 * 1.0f, 1, 0, i / 2, 0});
      const auto workspace = member->workspace();
      std::vector<float> score(s.data.items()), variance(s.data.items());
      std::vector<double> contribution(support.size());
      std::vector<int32_t> items(s.data.items()), found;
      found.reserve(1000);
      for (size_t i = 0; i < items.size(); ++i) items[i] = static_cast<int32_t>(i);
      const auto answer = [&](size_t rows) {
        const std::span<const SupportRow> part(support.data(), rows);
        member->adapt({part, {}}, *workspace);
        member->score_all(*workspace, score);
        member->score(*workspace, items, score, variance);
        member->explain(*workspace, 3, std::span(contribution).first(rows));
        found.clear();
        member->candidates(*workspace, 5, {}, found);
      };
      answer(20);
      const int64_t before = allocations;
      ASSERT_GT(before, 0) << "the counter is not in use";
      for (size_t rows : {20, 3, 0, 11}) answer(rows);
      EXPECT_EQ(allocations, before) << name;
    }
  }
}

}  // namespace
}  // namespace fewshop
