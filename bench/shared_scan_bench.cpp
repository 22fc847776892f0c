// What scoring several queries in one pass over the 8-bit codes would save: four queries together beside the same four
// one after the other, in turns. Only the scores and their comparison with a threshold; choosing, exact scores and
// everything else of a request stay the same for each.
//   single_us, shared_us   median CPU microseconds for all four
//   ratio                  shared / single
#include <benchmark/benchmark.h>
#include <immintrin.h>

#include <cstring>
#include <vector>

#include "bench/measure.h"
#include "core/random.h"
#include "runtime/code_rows.h"

namespace fewshop {
namespace {

constexpr int kDimension = 64, kPairs = kDimension / 2, kQueries = 4;
using Codes = int16_t[kDimension];

inline __m256i rows_of(const int8_t* block, int pair) {
  return _mm256_cvtepi8_epi16(_mm_load_si128(reinterpret_cast<const __m128i*>(block + pair * 16)));
}

inline __m256i query_of(const Codes& query, int pair) {
  int32_t both;
  std::memcpy(&both, query + 2 * pair, sizeof(both));
  return _mm256_set1_epi32(both);
}

inline int above(__m256i dot, const float* scale, float threshold) {
  const __m256 score = _mm256_mul_ps(_mm256_cvtepi32_ps(dot), _mm256_loadu_ps(scale));
  return __builtin_popcount(_mm256_movemask_ps(_mm256_cmp_ps(score, _mm256_set1_ps(threshold), _CMP_GT_OQ)));
}

template <int Q>
int64_t pass(const CodeRows& rows, const Codes* queries, float threshold) {
  int64_t count = 0;
  for (int64_t b = 0; b < rows.blocks(); ++b) {
    const int8_t* block = rows.block(b);
    __m256i even[Q], odd[Q];
    for (int q = 0; q < Q; ++q) even[q] = odd[q] = _mm256_setzero_si256();
    for (int pair = 0; pair < kPairs; pair += 2) {
      if (pair % 4 == 0) __builtin_prefetch(block + pair * 16 + 4096);
      const __m256i first = rows_of(block, pair), second = rows_of(block, pair + 1);
      for (int q = 0; q < Q; ++q) {
        even[q] = _mm256_add_epi32(even[q], _mm256_madd_epi16(first, query_of(queries[q], pair)));
        odd[q] = _mm256_add_epi32(odd[q], _mm256_madd_epi16(second, query_of(queries[q], pair + 1)));
      }
    }
    for (int q = 0; q < Q; ++q)
      count += above(_mm256_add_epi32(even[q], odd[q]), rows.scale() + b * CodeRows::kRows, threshold);
  }
  return count;
}

void four_queries(benchmark::State& state) {
  const int64_t items = state.range(0);
  Random random(1);
  CodeRows rows;
  rows.clear(kDimension);
  rows.resize(items);
  std::vector<float> vector(kDimension);
  for (int64_t i = 0; i < items; ++i) {
    for (float& x : vector) x = static_cast<float>(random.normal());
    rows.put(i, vector.data(), 0);
  }
  Codes queries[kQueries];
  for (auto& query : queries)
    for (int16_t& code : query) code = static_cast<int16_t>(static_cast<int>(random.below(20'001)) - 10'000);
  constexpr float kThreshold = 1e5F;
  bench::Chunks single, shared;
  for (auto _ : state) {
    int64_t one = 0, all = 0;
    single.time(1, [&] {
      for (const auto& query : queries) one += pass<1>(rows, &query, kThreshold);
    });
    state.SetIterationTime(shared.time(1, [&] { all = pass<kQueries>(rows, queries, kThreshold); }));
    if (one != all) state.SkipWithError("the passes disagree");
  }
  state.counters["single_us"] = 1e6 * single.median();
  state.counters["shared_us"] = 1e6 * shared.median();
  state.counters["ratio"] = shared.median() / single.median();
}
BENCHMARK(four_queries)
    ->ArgName("items")
    ->Arg(100'000)
    ->Arg(1'000'000)
    ->Iterations(100)
    ->UseManualTime()
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace fewshop
