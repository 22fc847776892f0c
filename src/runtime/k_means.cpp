#include "runtime/k_means.h"

#include <Eigen/Core>
#include <algorithm>
#include <cassert>
#include <numeric>

namespace fewshop {
namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using View = Eigen::Map<const Matrix>;

}  // namespace

void nearest_centres(std::span<const float> points, std::span<const float> centres, int d, std::span<int32_t> nearest,
                     std::span<float> distance) {
  constexpr int64_t kTogether = 512;
  const int64_t n = std::ssize(points) / d, k = std::ssize(centres) / d;
  const View centre(centres.data(), k, d);
  // |x - c|^2 = |x|^2 - 2 (x . c - |c|^2 / 2): the nearest has the largest bracket.
  const Eigen::RowVectorXf half = 0.5F * centre.rowwise().squaredNorm().transpose();
  Matrix dots;
  for (int64_t begin = 0; begin < n; begin += kTogether) {
    const int64_t rows = std::min(kTogether, n - begin);
    const View part(points.data() + begin * d, rows, d);
    dots.noalias() = part * centre.transpose();
    dots.rowwise() -= half;
    for (int64_t i = 0; i < rows; ++i) {
      Eigen::Index best = 0;
      const float most = dots.row(i).maxCoeff(&best);
      nearest[begin + i] = static_cast<int32_t>(best);
      if (!distance.empty()) distance[begin + i] = std::max(0.0F, part.row(i).squaredNorm() - 2 * most);
    }
  }
}

std::vector<float> k_means(std::span<const float> points, int d, int k, int iterations, Random random,
                           const std::function<bool()>& stopped) {
  const int64_t n = std::ssize(points) / d;
  assert(k > 0 && k <= n);
  std::vector<int64_t> drawn(n);
  std::iota(drawn.begin(), drawn.end(), 0);
  for (int c = 0; c < k; ++c) std::swap(drawn[c], drawn[c + static_cast<int64_t>(random.below(n - c))]);
  std::vector<float> centres(static_cast<size_t>(k) * d);
  const auto put = [&](int c, int64_t point) {
    std::copy_n(points.begin() + point * d, d, centres.begin() + static_cast<int64_t>(c) * d);
  };
  for (int c = 0; c < k; ++c) put(c, drawn[c]);
  std::vector<int32_t> nearest(n), count(k);
  std::vector<double> sum(centres.size());
  for (int iteration = 0; iteration < iterations && !stopped(); ++iteration) {
    nearest_centres(points, centres, d, nearest, {});
    std::fill(count.begin(), count.end(), 0);
    std::fill(sum.begin(), sum.end(), 0.0);
    for (int64_t i = 0; i < n; ++i) {
      ++count[nearest[i]];
      double* own = sum.data() + static_cast<int64_t>(nearest[i]) * d;
      for (int j = 0; j < d; ++j) own[j] += points[i * d + j];
    }
    for (int c = 0; c < k; ++c) {
      if (count[c] == 0) {
        put(c, static_cast<int64_t>(random.below(n)));
        continue;
      }
      for (int j = 0; j < d; ++j)
        centres[static_cast<int64_t>(c) * d + j] = static_cast<float>(sum[static_cast<int64_t>(c) * d + j] / count[c]);
    }
  }
  return centres;
}

}  // namespace fewshop
