#pragma once

#ifdef __AVX__
#include <immintrin.h>
#endif

#include <array>
#include <cstdint>
#include <cstring>

#include "runtime/code_rows.h"

/// Eight numbers at a time: what the search does for the eight rows of a block (code_rows.h).
namespace fewshop::lanes {

using FloatLanes = float __attribute__((vector_size(32), may_alias));

inline FloatLanes load(const float* p) {
  FloatLanes x;
  std::memcpy(&x, p, sizeof(x));
  return x;
}

inline FloatLanes all(float x) { return FloatLanes{x, x, x, x, x, x, x, x}; }

/// A bit for every lane that is not below or equal to the threshold; what is not a number counts as above.
inline unsigned above(FloatLanes x, float threshold) {
#ifdef __AVX__
  return static_cast<unsigned>(_mm256_movemask_ps(_mm256_cmp_ps(x, _mm256_set1_ps(threshold), _CMP_NLE_UQ)));
#else
  unsigned bits = 0;
  for (int i = 0; i < 8; ++i) bits |= static_cast<unsigned>(!(x[i] <= threshold)) << i;
  return bits;
#endif
}

inline FloatLanes add_neighbours(FloatLanes a, FloatLanes b) {
  return __builtin_shufflevector(a, b, 0, 2, 8, 10, 4, 6, 12, 14) +
         __builtin_shufflevector(a, b, 1, 3, 9, 11, 5, 7, 13, 15);
}

/// The sums of eight vectors.
inline FloatLanes sums(const FloatLanes (&x)[8]) {
  const FloatLanes a = add_neighbours(add_neighbours(x[0], x[1]), add_neighbours(x[2], x[3]));
  const FloatLanes b = add_neighbours(add_neighbours(x[4], x[5]), add_neighbours(x[6], x[7]));
  return __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11) +
         __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15);
}

/// query . row in float for eight rows, read one after the other: memory is fetched ahead best in that order.
inline FloatLanes float_dots(const float* query, const float* rows, int64_t stride, int d) {
  FloatLanes dot[8];
  for (int i = 0; i < 8; ++i) {
    const float* row = rows + i * stride;
    FloatLanes s0{}, s1{}, s2{}, s3{};
    int j = 0;
    for (; j + 32 <= d; j += 32) {
      s0 += load(query + j) * load(row + j);
      s1 += load(query + j + 8) * load(row + j + 8);
      s2 += load(query + j + 16) * load(row + j + 16);
      s3 += load(query + j + 24) * load(row + j + 24);
    }
    for (; j + 8 <= d; j += 8) s0 += load(query + j) * load(row + j);
    for (int lane = 0; j < d; ++j, ++lane) s0[lane] += query[j] * row[j];
    dot[i] = (s0 + s1) + (s2 + s3);
  }
  return sums(dot);
}

/// table[cells[i]] for eight cells below 8.
inline FloatLanes lookup(const std::array<float, 8>& table, const uint8_t* cells) {
#ifdef __AVX2__
  const __m256i at = _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(cells)));
  return _mm256_permutevar8x32_ps(_mm256_loadu_ps(table.data()), at);
#else
  FloatLanes x;
  for (int i = 0; i < 8; ++i) x[i] = table[cells[i]];
  return x;
#endif
}

}  // namespace fewshop::lanes
