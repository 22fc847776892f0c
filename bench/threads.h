#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "core/parallel.h"

extern "C" {
void openblas_set_num_threads(int threads);
void cblas_sgemm(int order, int left, int right, int rows, int columns, int inner, float scale, const float* a,
                 int a_stride, const float* b, int b_stride, float base, float* c, int c_stride);
}

namespace fewshop::bench {

/// What the machine itself can do: products of 256 x 256 matrices by OpenBLAS, each thread with its own ones.
class MatrixProducts {
 public:
  static constexpr int kSize = 256;
  static constexpr double kFlops = 2.0 * kSize * kSize * kSize;

  explicit MatrixProducts(int threads) {
    openblas_set_num_threads(1);
    for (int i = 0; i < 3 * threads; ++i) matrices_.emplace_back(kSize * kSize, 0.5F);
  }

  /// `count` products, spread over the threads.
  void run(int count, int threads) {
    parallel_for(count, threads, std::max(1, count / threads), [&](int64_t begin, int64_t end, int worker) {
      const float *a = matrices_[3 * worker].data(), *b = matrices_[3 * worker + 1].data();
      float* c = matrices_[3 * worker + 2].data();
      constexpr int kRowMajor = 101, kAsIs = 111;
      for (int64_t i = begin; i < end; ++i)
        cblas_sgemm(kRowMajor, kAsIs, kAsIs, kSize, kSize, kSize, 1, a, kSize, b, kSize, 0, c, kSize);
    });
  }

 private:
  std::vector<std::vector<float>> matrices_;
};

}  // namespace fewshop::bench
