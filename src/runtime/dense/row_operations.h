#pragma once

#include <cmath>
#include <cstdint>

#include "runtime/dense/small_gemm.h"

namespace fewshop::dense {

// Operations on whole matrices of padded rows, entry by entry.

/// h = activation(h + bias): tanh where smooth, else ReLU.
template <class T>
void add_bias_and_activate(int64_t rows, int64_t width, T* h, const T* bias, bool smooth) {
  for (int64_t i = 0; i < rows; ++i) {
    T* row = h + i * width;
    if (smooth) {
      for (int64_t j = 0; j < width; ++j) row[j] = std::tanh(row[j] + bias[j]);
    } else {
      for (int64_t j = 0; j < width; ++j) {
        const T z = row[j] + bias[j];
        row[j] = z > 0 ? z : T(0);
      }
    }
  }
}

template <class T>
void add_bias(int64_t rows, int64_t width, T* h, const T* bias) {
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < width; ++j) h[i * width + j] += bias[j];
}

/// out = in * activation'(z), from h = activation(z); may be in place.
template <class T>
void times_slope(int64_t count, const T* h, const T* in, T* out, bool smooth) {
  if (smooth) {
    for (int64_t i = 0; i < count; ++i) out[i] = in[i] * (1 - h[i] * h[i]);
  } else {
    for (int64_t i = 0; i < count; ++i) out[i] = h[i] > 0 ? in[i] : T(0);
  }
}

/// sum += scale * the sum of the rows, entry by entry of `scale` [width] (null = 1).
template <class T>
void add_row_sum(int64_t rows, int64_t width, const T* a, const T* scale, T sign, T* sum) {
  for (int64_t j = 0; j < width; j += kPad<T>) {
    Vec<T> total = {};
    for (int64_t i = 0; i < rows; ++i) total += load(a + i * width + j);
    total *= sign;
    if (scale) total *= load(scale + j);
    store(sum + j, load(sum + j) + total);
  }
}

/// The sum of products of all entries. `count` is a multiple of the padding.
template <class T>
T dot(int64_t count, const T* a, const T* b) {
  Vec<T> sums[4] = {};
  int64_t i = 0;
  for (; i + 4 * kPad<T> <= count; i += 4 * kPad<T>)
    for (int j = 0; j < 4; ++j) sums[j] += load(a + i + j * kPad<T>) * load(b + i + j * kPad<T>);
  for (; i < count; i += kPad<T>) sums[0] += load(a + i) * load(b + i);
  const Vec<T> all = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  T total = 0;
  for (int64_t j = 0; j < kPad<T>; ++j) total += all[j];
  return total;
}

/// out += scale * a.
template <class T>
void add_scaled(int64_t count, T scale, const T* a, T* out) {
  for (int64_t i = 0; i < count; ++i) out[i] += scale * a[i];
}

}  // namespace fewshop::dense
