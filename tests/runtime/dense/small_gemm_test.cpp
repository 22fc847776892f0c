#include "runtime/dense/small_gemm.h"

#include <gtest/gtest.h>

#include <vector>

#include "core/random.h"
#include "runtime/dense/dense_model.h"

namespace fewshop::dense {
namespace {

template <class T>
AlignedBuffer<T> random_numbers(int64_t n, uint64_t seed) {
  AlignedBuffer<T> buffer(static_cast<size_t>(n));
  Random random(seed);
  for (int64_t i = 0; i < n; ++i) buffer.get()[i] = static_cast<T>(random.normal());
  return buffer;
}

template <class T>
class SmallGemmTest : public ::testing::Test {};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(SmallGemmTest, Types);

TYPED_TEST(SmallGemmTest, ProductsOfEveryShapeAreThoseOfPlainLoops) {
  using T = TypeParam;
  const double tolerance = sizeof(T) == 4 ? 1e-4 : 1e-12;
  for (const int64_t rows : {0, 1, 2, 3, 4, 5, 6, 7, 13, 25})
    for (const int64_t columns : {1, 3, 8, 16, 21, 40})
      for (const int64_t inner : {0, 1, 5, 17})
        for (const bool transposed : {false, true})
          for (const bool based : {false, true}) {
            const int64_t width = padded<T>(columns), a_stride = (transposed ? rows : inner) + 1;
            const auto a = random_numbers<T>((transposed ? inner : rows) * a_stride + 1, 1),
                       b = random_numbers<T>(inner * width + 1, 2), base = random_numbers<T>(rows * width + 1, 3);
            AlignedBuffer<T> out(static_cast<size_t>(rows * width + 1));
            const T* from = based ? base.get() : nullptr;
            if (transposed)
              multiply<T, Left::kTransposed>(rows, columns, inner, a.get(), a_stride, b.get(), width, from, width,
                                             T(-2), out.get(), width);
            else
              multiply<T>(rows, columns, inner, a.get(), a_stride, b.get(), width, from, width, T(-2), out.get(),
                          width);
            for (int64_t i = 0; i < rows; ++i)
              for (int64_t j = 0; j < columns; ++j) {
                double expected = based ? base.get()[i * width + j] : 0;
                for (int64_t p = 0; p < inner; ++p)
                  expected -= 2.0 * a.get()[transposed ? p * a_stride + i : i * a_stride + p] * b.get()[p * width + j];
                ASSERT_NEAR(out.get()[i * width + j], expected, tolerance)
                    << rows << " x " << columns << " x " << inner << " at " << i << ", " << j;
              }
          }
}

TYPED_TEST(SmallGemmTest, TransposingTurnsEveryEntryAndClearsThePadding) {
  using T = TypeParam;
  for (const int64_t rows : {1, 3, 8, 13, 16})
    for (const int64_t columns : {1, 5, 8, 20}) {
      const int64_t width = padded<T>(columns), height = padded<T>(rows);
      const auto a = random_numbers<T>(rows * width, 4);
      auto out = random_numbers<T>(width * height, 5);
      transpose(rows, columns, a.get(), width, out.get(), height);
      for (int64_t j = 0; j < columns; ++j)
        for (int64_t i = 0; i < height; ++i)
          ASSERT_EQ(out.get()[j * height + i], i < rows ? a.get()[i * width + j] : T(0)) << i << ", " << j;
    }
}

}  // namespace
}  // namespace fewshop::dense
