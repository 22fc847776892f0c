// Counts every allocation of the process while a warmed-up session answers. A program of its own, because it puts its
// own malloc in front of the C library's. Without effect under the sanitizers, which bring theirs.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <vector>

#include "runtime/c_api.h"
#include "runtime/model.h"
#include "runtime/random_encoder.h"
#include "runtime/small_model.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FEWSHOP_COUNTS 0
#else
#define FEWSHOP_COUNTS 1
#endif

namespace {
std::atomic<long> allocations = 0;
}

#if FEWSHOP_COUNTS
// operator new ends in these as well.
extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);
void* malloc(size_t size) { return ++allocations, __libc_malloc(size); }
void* calloc(size_t count, size_t size) { return ++allocations, __libc_calloc(count, size); }
void* realloc(void* p, size_t size) { return ++allocations, __libc_realloc(p, size); }
void* aligned_alloc(size_t alignment, size_t size) { return ++allocations, __libc_memalign(alignment, size); }
int posix_memalign(void** p, size_t alignment, size_t size) {
  ++allocations;
  *p = __libc_memalign(alignment, size);
  return *p ? 0 : 12;
}
}
#endif

namespace fewshop {
namespace {

std::vector<fewshop_row> some_rows(int count, int shift) {
  static std::vector<std::string> ids;
  if (ids.empty()) {
    for (int i = 0; i < 1500; ++i) ids.push_back("item-" + std::to_string(i));
  }
  std::vector<fewshop_row> rows;
  for (int i = 0; i < count; ++i) {
    rows.push_back(fewshop_row_of(ids[(shift + 37 * i) % 1500].c_str(), static_cast<float>(1 + i % 5)));
    rows.back().group = i;
    rows.back().kind = i % 2;
  }
  return rows;
}

TEST(Allocation, TheCounterSeesNewAndMalloc) {
  if (!FEWSHOP_COUNTS) GTEST_SKIP() << "the sanitizers count for themselves";
  const long before = allocations;
  int* volatile number = new int(1);  // volatile: or the compiler leaves both out
  delete number;
  void* volatile bytes = std::malloc(10);
  std::free(bytes);
  EXPECT_EQ(allocations - before, 2);
}

TEST(Allocation, AWarmSessionAnswersWithoutAny) {
  if (!FEWSHOP_COUNTS) GTEST_SKIP() << "the sanitizers count for themselves";
  for (Problem problem : {Problem::kRanking, Problem::kRating}) {
    fewshop_model* model = to_c(testing::small_model({.problem = problem}));
    fewshop_session* session = nullptr;
    ASSERT_EQ(fewshop_session_create(model, &session), FEWSHOP_OK);
    const fewshop_text old[] = {{"age", "old"}};
    fewshop_description* description = nullptr;
    ASSERT_EQ(fewshop_description_create(model, old, 1, &description), FEWSHOP_OK);

    const std::vector<std::vector<fewshop_row>> tasks = {some_rows(40, 0), some_rows(0, 0),  some_rows(1, 9),
                                                         some_rows(5, 99), some_rows(20, 3), some_rows(40, 500)};
    std::vector<fewshop_item> items(100);
    std::vector<double> contributions(40);
    const std::vector<int32_t> exclude = {5, 3, 900};
    const auto answer = [&](const std::vector<fewshop_row>& rows, const fewshop_description* of) {
      double prior;
      for (int i = 0; i < 100; ++i) items[i].item = 15 * i;
      EXPECT_EQ(fewshop_adapt(session, rows.data(), rows.size(), of), FEWSHOP_OK) << fewshop_error_text();
      EXPECT_EQ(fewshop_predict(session, items.data(), 100), FEWSHOP_OK);
      EXPECT_EQ(fewshop_explain(session, 5, &prior, contributions.data(), rows.size()), FEWSHOP_OK);
      size_t count = 100;
      EXPECT_EQ(fewshop_recommend(session, exclude.data(), exclude.size(), items.data(), &count), FEWSHOP_OK);
      EXPECT_EQ(count, 100u);
    };
    for (const auto& task : tasks) answer(task, description), answer(task, nullptr);
    const long before = allocations;
    for (const auto& task : tasks) answer(task, description), answer(task, nullptr);
    EXPECT_EQ(allocations - before, 0) << (problem == Problem::kRanking ? "ranking" : "rating");

    fewshop_description_destroy(description);
    fewshop_session_destroy(session);
    fewshop_close(model);
  }
}

TEST(Allocation, AWarmEncoderEncodesWithoutAny) {
  if (!FEWSHOP_COUNTS) GTEST_SKIP() << "the sanitizers count for themselves";
  const std::vector<float> numbers = {0.5F, -1};
  const std::vector<int32_t> tags = {3, 1}, age = {2};
  const std::vector<ColumnView> row = {{numbers, {}}, {{}, tags}, {{}, age}}, unknown(3);
  for (const char* name : {"linear", "mf", "mlp", "deepfm", "dcn"}) {
    const auto encoder = Encoder::make(random_encoder_arrays(name));
    Encoder::Scratch scratch;
    std::vector<float> features(static_cast<size_t>(encoder->feature_size())), outputs(2);
    const auto encode = [&](const std::vector<ColumnView>& of) {
      encoder->encode(of, scratch, features);
      encoder->head(features, outputs);
    };
    encode(row);
    const long before = allocations;
    encode(row);
    encode(unknown);
    EXPECT_EQ(allocations - before, 0) << name;
  }
}

}  // namespace
}  // namespace fewshop
