#include "runtime/softmax_posterior.h"

#include <algorithm>
#include <cmath>

#include "runtime/glm.h"
#include "runtime/small_cholesky.h"

namespace fewshop {
namespace {

constexpr double kLongestStep = 2;  // of a link value in one Newton step

double dot(const double* a, const double* b, int n) {
  double sums[4] = {};
  int i = 0;
  for (; i + 4 <= n; i += 4)
    for (int j = 0; j < 4; ++j) sums[j] += a[i + j] * b[i + j];
  for (; i < n; ++i) sums[0] += a[i] * b[i];
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

void add(double scale, const double* a, int n, double* out) {
  for (int i = 0; i < n; ++i) out[i] += scale * a[i];
}

}  // namespace

void SoftmaxPosterior::solve(std::span<const double> z, std::span<const double> base, std::span<const int> label,
                             std::span<const float> weight, int size, int classes, int steps) {
  rows_ = static_cast<int>(label.size());
  size_ = size;
  classes_ = classes;
  dual_ = rows_ <= size_;
  const size_t n = rows_, c = classes_;
  z_.assign(z.begin(), z.end());
  kernel_.resize(n * n);
  for (size_t s = 0; s < n; ++s)
    for (size_t t = 0; t <= s; ++t)
      kernel_[s * n + t] = kernel_[t * n + s] = dot(z_.data() + s * size_, z_.data() + t * size_, size_);
  root_.resize(n * c * c);
  bend_.resize(n * c * c);
  for (auto* list : {&gradient_, &evidence_, &next_}) list->resize(n * c);
  moved_.assign(n * c, 0.0);
  probability_.resize(c);
  weights_.assign(c * size_, 0.0);
  small_.resize(std::max<size_t>(1, n * c));
  large_.resize(c * c * size_);
  if (rows_ == 0) return;
  for (int i = 0; i < steps; ++i) {
    curve(base, label, weight);
    factor();
    step();
    if (i + 1 == steps) break;
    double longest = 0;
    for (size_t j = 0; j < n * c; ++j)
      if (weight[j / c] > 0) longest = std::max(longest, std::abs(next_[j] - moved_[j]));
    const double share = kLongestStep / std::max(kLongestStep, longest);
    for (size_t j = 0; j < n * c; ++j) moved_[j] += share * (next_[j] - moved_[j]);
  }
}

/// Gradient, negative Hessian and its root of every row's log-likelihood, and the right-hand side of a step.
void SoftmaxPosterior::curve(std::span<const double> base, std::span<const int> label, std::span<const float> weight) {
  const size_t c = classes_;
  for (int s = 0; s < rows_; ++s) {
    const double w = std::max(0.0F, weight[s]), root_w = std::sqrt(w);
    for (size_t o = 0; o < c; ++o) probability_[o] = base[s * c + o] + moved_[s * c + o];
    softmax(probability_, probability_);
    const double* p = probability_.data();
    for (size_t o = 0; o < c; ++o) {
      gradient_[s * c + o] = w * ((label[s] == static_cast<int>(o) ? 1 : 0) - p[o]);
      double* root = root_.data() + (s * c + o) * c;
      double* bend = bend_.data() + (s * c + o) * c;
      for (size_t a = 0; a < c; ++a) {
        const double same = o == a ? 1 : 0;
        root[a] = root_w * (same - p[o]) * std::sqrt(p[a]);
        bend[a] = w * p[o] * (same - p[a]);
      }
    }
    for (size_t o = 0; o < c; ++o)
      evidence_[s * c + o] =
          gradient_[s * c + o] + dot(bend_.data() + (s * c + o) * c, moved_.data() + s * c, static_cast<int>(c));
  }
}

/// Cholesky factor of I + V V^T (dual) or I + V^T V, V's row (s, a) being root_s[o, a] z_s in the columns of output o.
void SoftmaxPosterior::factor() {
  const size_t c = classes_, n = dual_ ? rows_ * c : c * size_;
  system_.assign(n * n, 0.0);
  if (dual_) {
    for (int s = 0; s < rows_; ++s)
      for (int t = s; t < rows_; ++t) {
        const double k = kernel_[static_cast<size_t>(s) * rows_ + t];
        const double *rs = root_.data() + s * c * c, *rt = root_.data() + t * c * c;
        for (size_t a = 0; a < c; ++a)
          for (size_t b = 0; b < c; ++b) {
            double sum = 0;
            for (size_t o = 0; o < c; ++o) sum += rs[o * c + a] * rt[o * c + b];
            system_[(s * c + a) * n + t * c + b] = k * sum;
          }
      }
  } else {
    for (int s = 0; s < rows_; ++s) {
      const double* z = z_.data() + static_cast<size_t>(s) * size_;
      for (size_t o = 0; o < c; ++o)
        for (size_t p = o; p < c; ++p) {
          const double bend = bend_[(s * c + o) * c + p];
          for (int i = 0; i < size_; ++i) add(bend * z[i], z, size_, system_.data() + (o * size_ + i) * n + p * size_);
        }
    }
  }
  for (size_t i = 0; i < n; ++i) system_[i * n + i] += 1;
  cholesky_in_place(system_.data(), static_cast<int>(n));
}

void SoftmaxPosterior::inverse_times(double* x) const {
  const size_t c = classes_;
  if (!dual_) return solve_cholesky(system_.data(), static_cast<int>(c * size_), x);
  for (int s = 0; s < rows_; ++s)
    for (size_t a = 0; a < c; ++a) {
      double sum = 0;
      for (size_t o = 0; o < c; ++o) {
        const double r = root_[(s * c + o) * c + a];
        if (r != 0) sum += r * dot(z_.data() + static_cast<size_t>(s) * size_, x + o * size_, size_);
      }
      small_[s * c + a] = sum;
    }
  solve_cholesky(system_.data(), static_cast<int>(rows_ * c), small_.data());
  for (int s = 0; s < rows_; ++s)
    for (size_t o = 0; o < c; ++o) {
      const double sum = dot(root_.data() + (s * c + o) * c, small_.data() + s * c, static_cast<int>(c));
      add(-sum, z_.data() + static_cast<size_t>(s) * size_, size_, x + o * size_);
    }
}

/// One weighted least squares: weights, and z . u of all rows in next_.
void SoftmaxPosterior::step() {
  const size_t c = classes_;
  std::fill(weights_.begin(), weights_.end(), 0.0);
  for (int s = 0; s < rows_; ++s)
    for (size_t o = 0; o < c; ++o)
      add(evidence_[s * c + o], z_.data() + static_cast<size_t>(s) * size_, size_, weights_.data() + o * size_);
  inverse_times(weights_.data());
  for (int s = 0; s < rows_; ++s)
    for (size_t o = 0; o < c; ++o)
      next_[s * c + o] = dot(z_.data() + static_cast<size_t>(s) * size_, weights_.data() + o * size_, size_);
}

void SoftmaxPosterior::covariance(std::span<const double> z, std::span<double> out) const {
  const size_t c = classes_, width = c * size_;
  std::fill(large_.begin(), large_.end(), 0.0);
  for (size_t o = 0; o < c; ++o) {
    double* x = large_.data() + o * width;
    std::copy(z.begin(), z.end(), x + o * size_);
    if (rows_ > 0) inverse_times(x);
    for (size_t p = 0; p < c; ++p) out[o * c + p] = dot(z.data(), x + p * size_, size_);
  }
}

void SoftmaxPosterior::evidence(std::span<const double> z, int output, std::span<double> out) const {
  const size_t c = classes_;
  double* x = large_.data();
  std::fill_n(x, c * size_, 0.0);
  std::copy(z.begin(), z.end(), x + static_cast<size_t>(output) * size_);
  if (rows_ > 0) inverse_times(x);
  for (int s = 0; s < rows_; ++s) {
    out[s] = 0;
    for (size_t o = 0; o < c; ++o)
      out[s] += evidence_[s * c + o] * dot(z_.data() + static_cast<size_t>(s) * size_, x + o * size_, size_);
  }
}

}  // namespace fewshop
