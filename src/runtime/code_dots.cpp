#include "runtime/code_dots.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <cstring>

namespace fewshop {
namespace {

constexpr int kRows = 8;           // of a block
constexpr int kBytes = 4 * kRows;  // of four dimensions of a block
constexpr int kPrefetch = 4096;    // bytes ahead; what the processor fetches by itself ends at a page
constexpr int kLine = 64;          // bytes of a cache line
constexpr int kSideBySide = 8;     // sums of one step: enough for the processor to overlap them

/// How many blocks stand side by side for Q queries.
constexpr int blocks_at_once(int queries) { return kSideBySide / queries; }

template <int Q>
void plain(const int8_t* const* queries, const int32_t* start, const uint8_t* const* blocks, int count, int quads,
           float* out) {
  for (int b = 0; b < count; ++b)
    for (int q = 0; q < Q; ++q, out += kRows) {
      int32_t dot[kRows];
      for (int32_t& x : dot) x = start[q];
      for (int quad = 0; quad < quads; ++quad)
        for (int i = 0; i < kRows; ++i)
          for (int j = 0; j < 4; ++j)
            dot[i] += queries[q][4 * quad + j] * int32_t{blocks[b][quad * kBytes + 4 * i + j]};
      for (int i = 0; i < kRows; ++i) out[i] = static_cast<float>(dot[i]);
    }
}

constexpr CodeDots kPlain{"plain", 127, {plain<1>, plain<2>, plain<3>, plain<4>}};

#if defined(__x86_64__)

// The two forms below are the same but for the instruction, which a template cannot choose: functions of one
// instruction set are not inlined into those of another.

struct Step {
  const int8_t* const* queries;
  const int32_t* start;
  const uint8_t* const* blocks;
  int quads;
  float* out;
};

#define FEWSHOP_AVX2 __attribute__((target("avx2")))
#define FEWSHOP_VNNI __attribute__((target("avx2,avx512vnni,avx512vl")))

/// Products of bytes in pairs: 255 * 64 * 2 is the most that 16 bits hold.
template <int Q, int B>
FEWSHOP_AVX2 inline __attribute__((always_inline)) void step_avx2(const Step& s) {
  const __m256i ones = _mm256_set1_epi16(1);
  __m256i sum[B * Q];
  for (int i = 0; i < B * Q; ++i) sum[i] = _mm256_set1_epi32(s.start[i % Q]);
  for (int quad = 0; quad < s.quads; ++quad) {
    __m256i rows[B];
    for (int b = 0; b < B; ++b) {
      const uint8_t* at = s.blocks[b] + quad * kBytes;
      if (quad * kBytes % kLine == 0) __builtin_prefetch(at + kPrefetch);
      rows[b] = _mm256_load_si256(reinterpret_cast<const __m256i*>(at));
    }
    for (int q = 0; q < Q; ++q) {
      int32_t four;
      std::memcpy(&four, s.queries[q] + 4 * quad, sizeof(four));
      for (int b = 0; b < B; ++b) {
        const __m256i pairs = _mm256_maddubs_epi16(rows[b], _mm256_set1_epi32(four));
        sum[b * Q + q] = _mm256_add_epi32(sum[b * Q + q], _mm256_madd_epi16(pairs, ones));
      }
    }
  }
  for (int i = 0; i < B * Q; ++i) _mm256_storeu_ps(s.out + i * kRows, _mm256_cvtepi32_ps(sum[i]));
}

template <int Q>
FEWSHOP_AVX2 void avx2(const int8_t* const* queries, const int32_t* start, const uint8_t* const* blocks, int count,
                       int quads, float* out) {
  constexpr int kBlocks = blocks_at_once(Q);
  int b = 0;
  for (; b + kBlocks <= count; b += kBlocks)
    step_avx2<Q, kBlocks>({queries, start, blocks + b, quads, out + int64_t{b} * Q * kRows});
  for (; b < count; ++b) step_avx2<Q, 1>({queries, start, blocks + b, quads, out + int64_t{b} * Q * kRows});
}

constexpr CodeDots kAvx2{"avx2", 64, {avx2<1>, avx2<2>, avx2<3>, avx2<4>}};

template <int Q, int B>
FEWSHOP_VNNI inline __attribute__((always_inline)) void step_vnni(const Step& s) {
  __m256i sum[B * Q];
  for (int i = 0; i < B * Q; ++i) sum[i] = _mm256_set1_epi32(s.start[i % Q]);
  for (int quad = 0; quad < s.quads; ++quad) {
    __m256i rows[B];
    for (int b = 0; b < B; ++b) {
      const uint8_t* at = s.blocks[b] + quad * kBytes;
      if (quad * kBytes % kLine == 0) __builtin_prefetch(at + kPrefetch);
      rows[b] = _mm256_load_si256(reinterpret_cast<const __m256i*>(at));
    }
    for (int q = 0; q < Q; ++q) {
      int32_t four;
      std::memcpy(&four, s.queries[q] + 4 * quad, sizeof(four));
      for (int b = 0; b < B; ++b)
        sum[b * Q + q] = _mm256_dpbusd_epi32(sum[b * Q + q], rows[b], _mm256_set1_epi32(four));
    }
  }
  for (int i = 0; i < B * Q; ++i) _mm256_storeu_ps(s.out + i * kRows, _mm256_cvtepi32_ps(sum[i]));
}

template <int Q>
FEWSHOP_VNNI void vnni(const int8_t* const* queries, const int32_t* start, const uint8_t* const* blocks, int count,
                       int quads, float* out) {
  constexpr int kBlocks = blocks_at_once(Q);
  int b = 0;
  for (; b + kBlocks <= count; b += kBlocks)
    step_vnni<Q, kBlocks>({queries, start, blocks + b, quads, out + int64_t{b} * Q * kRows});
  for (; b < count; ++b) step_vnni<Q, 1>({queries, start, blocks + b, quads, out + int64_t{b} * Q * kRows});
}

constexpr CodeDots kVnni{"avx512-vnni", 127, {vnni<1>, vnni<2>, vnni<3>, vnni<4>}};

#undef FEWSHOP_AVX2
#undef FEWSHOP_VNNI

#endif

}  // namespace

std::vector<const CodeDots*> CodeDots::all() {
  std::vector<const CodeDots*> all{&kPlain};
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2")) all.push_back(&kAvx2);
  if (__builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vl")) all.push_back(&kVnni);
#endif
  return all;
}

const CodeDots& CodeDots::best() {
  static const CodeDots& best = *all().back();
  return best;
}

int32_t CodeDots::start_of(const int8_t* query, int size) {
  int32_t sum = 0;
  for (int j = 0; j < size; ++j) sum += query[j];
  return -128 * sum;
}

}  // namespace fewshop
