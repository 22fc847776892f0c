#pragma once

#include <algorithm>
#include <cstdint>

namespace fewshop::dense {

// Matrix products of the sizes that adapting one task has: tens of rows, tens to hundreds of columns, everything in the
// first two levels of cache. At these sizes the packing of a general library costs as much as the product; here
// operands are read where they lie.
//
// Matrices are row-major. Rows of right operands and of results begin at multiples of kPad<T> entries of
// 32-byte-aligned memory and are padded to such a multiple; entries of the padding are computed as well. Left operands
// may lie anywhere.

template <class T>
struct Pack;
template <>
struct Pack<float> {
  typedef float type __attribute__((vector_size(32), may_alias));
};
template <>
struct Pack<double> {
  typedef double type __attribute__((vector_size(32), may_alias));
};
template <class T>
using Vec = typename Pack<T>::type;

/// Entries of one vector, and what rows are padded to.
template <class T>
constexpr int64_t kPad = 32 / sizeof(T);

template <class T>
constexpr int64_t padded(int64_t n) {
  return (n + kPad<T> - 1) / kPad<T> * kPad<T>;
}

template <class T>
Vec<T> load(const T* p) {
  return *reinterpret_cast<const Vec<T>*>(p);
}
template <class T>
void store(T* p, Vec<T> v) {
  *reinterpret_cast<Vec<T>*>(p) = v;
}

enum class Left { kAsIs, kTransposed };

namespace detail {

/// One block of M rows and N vectors of out = base + scale * op(a) b, with all of it in registers.
template <class T, Left kLeft, int M, int N>
inline void block(int64_t inner, const T* a, int64_t a_stride, const T* b, int64_t b_stride, const T* base,
                  int64_t base_stride, T scale, T* out, int64_t out_stride) {
  // Unrolled by order: else the compiler keeps the sums in memory before and after the loop, at a sixth of all time.
  Vec<T> sum[M][N];
#pragma GCC unroll 6
  for (int i = 0; i < M; ++i)
#pragma GCC unroll 2
    for (int j = 0; j < N; ++j) sum[i][j] = Vec<T>{};
  for (int64_t p = 0; p < inner; ++p) {
    Vec<T> right[N];
#pragma GCC unroll 2
    for (int j = 0; j < N; ++j) right[j] = load(b + p * b_stride + j * kPad<T>);
#pragma GCC unroll 6
    for (int i = 0; i < M; ++i) {
      const T left = kLeft == Left::kTransposed ? a[p * a_stride + i] : a[i * a_stride + p];
#pragma GCC unroll 2
      for (int j = 0; j < N; ++j) sum[i][j] += left * right[j];
    }
  }
#pragma GCC unroll 6
  for (int i = 0; i < M; ++i)
#pragma GCC unroll 2
    for (int j = 0; j < N; ++j) {
      Vec<T> value = scale * sum[i][j];
      if (base) value += load(base + i * base_stride + j * kPad<T>);
      store(out + i * out_stride + j * kPad<T>, value);
    }
}

template <class T, Left kLeft, int N>
inline void column(int64_t rows, int64_t inner, const T* a, int64_t a_stride, const T* b, int64_t b_stride,
                   const T* base, int64_t base_stride, T scale, T* out, int64_t out_stride) {
  // Rows in blocks of nearly equal size, at most six: a last block of one row would wait for its own additions.
  constexpr int64_t kRows = 6;
  int64_t blocks = (rows + kRows - 1) / kRows;
  for (int64_t i = 0; i < rows; --blocks) {
    const int64_t m = (rows - i + blocks - 1) / blocks;
    const T* left = kLeft == Left::kTransposed ? a + i : a + i * a_stride;
    const T* from = base ? base + i * base_stride : nullptr;
    T* to = out + i * out_stride;
    switch (m) {
      case 6:
        block<T, kLeft, 6, N>(inner, left, a_stride, b, b_stride, from, base_stride, scale, to, out_stride);
        break;
      case 5:
        block<T, kLeft, 5, N>(inner, left, a_stride, b, b_stride, from, base_stride, scale, to, out_stride);
        break;
      case 4:
        block<T, kLeft, 4, N>(inner, left, a_stride, b, b_stride, from, base_stride, scale, to, out_stride);
        break;
      case 3:
        block<T, kLeft, 3, N>(inner, left, a_stride, b, b_stride, from, base_stride, scale, to, out_stride);
        break;
      case 2:
        block<T, kLeft, 2, N>(inner, left, a_stride, b, b_stride, from, base_stride, scale, to, out_stride);
        break;
      default:
        block<T, kLeft, 1, N>(inner, left, a_stride, b, b_stride, from, base_stride, scale, to, out_stride);
    }
    i += m;
  }
}

}  // namespace detail

/// out = base + scale * op(a) b.
///   op(a) [rows, inner]: a as it is, or the transpose of a [inner, rows];  b [inner, columns], columns padded
///   base [rows, columns] or null (0); may be out itself
template <class T, Left kLeft = Left::kAsIs>
void multiply(int64_t rows, int64_t columns, int64_t inner, const T* a, int64_t a_stride, const T* b, int64_t b_stride,
              const T* base, int64_t base_stride, T scale, T* out, int64_t out_stride) {
  const int64_t width = padded<T>(columns);
  for (int64_t j = 0; j < width;) {
    const T* from = base ? base + j : nullptr;
    if (width - j >= 2 * kPad<T>) {
      detail::column<T, kLeft, 2>(rows, inner, a, a_stride, b + j, b_stride, from, base_stride, scale, out + j,
                                  out_stride);
      j += 2 * kPad<T>;
    } else {
      detail::column<T, kLeft, 1>(rows, inner, a, a_stride, b + j, b_stride, from, base_stride, scale, out + j,
                                  out_stride);
      j += kPad<T>;
    }
  }
}

namespace detail {

inline void transpose_block(const Vec<float> (&r)[8], float* out, int64_t stride) {
  Vec<float> s[8], t[8];
  for (int i = 0; i < 4; ++i) {
    s[2 * i] = __builtin_shufflevector(r[2 * i], r[2 * i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
    s[2 * i + 1] = __builtin_shufflevector(r[2 * i], r[2 * i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
  }
  for (int i = 0; i < 8; i += 4)
    for (int j = 0; j < 2; ++j) {
      t[i + 2 * j] = __builtin_shufflevector(s[i + j], s[i + j + 2], 0, 1, 8, 9, 4, 5, 12, 13);
      t[i + 2 * j + 1] = __builtin_shufflevector(s[i + j], s[i + j + 2], 2, 3, 10, 11, 6, 7, 14, 15);
    }
  for (int i = 0; i < 4; ++i) {
    store<float>(out + i * stride, __builtin_shufflevector(t[i], t[i + 4], 0, 1, 2, 3, 8, 9, 10, 11));
    store<float>(out + (i + 4) * stride, __builtin_shufflevector(t[i], t[i + 4], 4, 5, 6, 7, 12, 13, 14, 15));
  }
}

inline void transpose_block(const Vec<double> (&r)[4], double* out, int64_t stride) {
  for (int i = 0; i < 4; ++i)
    for (int j = 0; j < 4; ++j) out[i * stride + j] = r[j][i];
}

}  // namespace detail

/// out [columns, rows] = the transpose of a [rows, columns]; rows of both are padded; the padding of out becomes 0, and
/// padded(columns) rows of it are written.
template <class T>
void transpose(int64_t rows, int64_t columns, const T* a, int64_t a_stride, T* out, int64_t out_stride) {
  constexpr int64_t kSize = kPad<T>;
  for (int64_t i = 0; i < rows; i += kSize)
    for (int64_t j = 0; j < columns; j += kSize) {
      Vec<T> block[kSize];
      for (int64_t r = 0; r < kSize; ++r) block[r] = i + r < rows ? load(a + (i + r) * a_stride + j) : Vec<T>{};
      detail::transpose_block(block, out + j * out_stride + i, out_stride);
    }
}

}  // namespace fewshop::dense
