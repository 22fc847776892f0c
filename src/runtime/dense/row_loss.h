#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <span>

#include "runtime/family.h"

namespace fewshop::dense {

// Axes: S rows, O outputs; matrices are row-major with a stride.

/// -log p(target) of a row given its link values z (output + offset), with the first and second derivatives that
/// adapting and its gradient need. learner/likelihood.h has the same losses in torch.
///
///   family             loss l(z)                            `beside` (psi)
///   gaussian           (z - y)^2 / 2v + log(2 pi v) / 2     log v
///   scores, bernoulli  softplus(z) - y z
///   categorical        logsumexp(z) - z_y
///   ordinal            -log(s(psi_y - z) - s(psi_{y-1} - z))  thresholds [C - 1], s = sigmoid
///   poisson            e^z - y z + log y!
///   negative-binomial  see learner/distribution.cpp         log r
template <class T>
class RowLoss {
 public:
  RowLoss(Family family, int64_t outputs, std::span<const T> beside)
      : family_(family),
        outputs_(outputs),
        beside_(beside),
        scale_(beside.empty() ? T(0) : std::exp(family == Family::kGaussian ? -beside[0] : beside[0])) {}

  std::span<const T> beside() const { return beside_; }

  /// gradient = weight_s * dl/dz of every row. `z` [S, O] is replaced by what tangent() needs of it.
  void gradient(int64_t rows, T* z, int64_t stride, const T* target, const T* weight, T* gradient) const {
    for (int64_t s = 0; s < rows; ++s) {
      T *value = z + s * stride, *g = gradient + s * stride;
      for (int64_t o = outputs_; o < stride; ++o) value[o] = g[o] = 0;
      if (family_ == Family::kCategorical) {
        softmax(value);
        for (int64_t o = 0; o < outputs_; ++o) g[o] = weight[s] * value[o];
        g[static_cast<int64_t>(target[s])] -= weight[s];
      } else {
        g[0] = weight[s] * first(value[0], target[s]);
      }
    }
  }

  /// After gradient(): its derivative when z moves by `moved` [S, O]. The derivative of sum(gradient * moved) for psi
  /// is added to `beside` (null: not wanted).
  void tangent(int64_t rows, const T* kept, int64_t stride, const T* moved, const T* target, const T* weight, T* result,
               T* beside) const {
    for (int64_t s = 0; s < rows; ++s) {
      const T *k = kept + s * stride, *m = moved + s * stride;
      T* r = result + s * stride;
      for (int64_t o = outputs_; o < stride; ++o) r[o] = 0;
      if (family_ == Family::kCategorical) {
        T mean = 0;
        for (int64_t o = 0; o < outputs_; ++o) mean += k[o] * m[o];
        for (int64_t o = 0; o < outputs_; ++o) r[o] = weight[s] * k[o] * (m[o] - mean);
      } else {
        r[0] = weight[s] * second(k[0], target[s]) * m[0];
        if (beside) mixed(k[0], target[s], weight[s] * m[0], beside);
      }
    }
  }

  /// Sum over rows of weight_s * l(z_s); its derivative for psi is added to `beside` (null: not wanted).
  double value(int64_t rows, const T* z, int64_t stride, const T* target, const T* weight, T* beside) const {
    double sum = 0;
    for (int64_t s = 0; s < rows; ++s)
      if (weight[s] != 0) sum += static_cast<double>(weight[s]) * loss(z + s * stride, target[s], weight[s], beside);
    return sum;
  }

 private:
  static T sigmoid(T z) { return 1 / (1 + std::exp(-z)); }
  static T softplus(T z) { return z > 0 ? z + std::log1p(std::exp(-z)) : std::log1p(std::exp(z)); }

  void softmax(T* z) const {
    T largest = z[0], sum = 0;
    for (int64_t o = 1; o < outputs_; ++o) largest = std::max(largest, z[o]);
    for (int64_t o = 0; o < outputs_; ++o) sum += z[o] = std::exp(z[o] - largest);
    for (int64_t o = 0; o < outputs_; ++o) z[o] /= sum;
  }

  /// Thresholds around class y as probabilities of the logistic distribution: P(y) = upper - lower.
  struct Cut {
    bool has_upper, has_lower;
    T upper, lower;
    int64_t y;
  };
  Cut cut(T z, T target) const {
    const auto y = static_cast<int64_t>(target), last = static_cast<int64_t>(beside_.size());
    return {y<last, y> 0, y < last ? sigmoid(beside_[y] - z) : T(1), y > 0 ? sigmoid(beside_[y - 1] - z) : T(0), y};
  }

  /// dl/dz; z becomes what is kept.
  T first(T& z, T y) const {
    switch (family_) {
      case Family::kScores:
      case Family::kBernoulli:
        return (z = sigmoid(z)) - y;
      case Family::kPoisson:
        return (z = std::exp(z)) - y;
      case Family::kNegativeBinomial:
        z = sigmoid(z - beside_[0]);
        return (scale_ + y) * z - y;
      case Family::kOrdinal: {
        const Cut c = cut(z, y);
        return 1 - c.upper - c.lower;
      }
      default:
        return z = (z - y) * scale_;
    }
  }

  /// d2l/dz2 from what was kept.
  T second(T kept, T y) const {
    switch (family_) {
      case Family::kScores:
      case Family::kBernoulli:
        return kept * (1 - kept);
      case Family::kPoisson:
        return kept;
      case Family::kNegativeBinomial:
        return (scale_ + y) * kept * (1 - kept);
      case Family::kOrdinal: {
        const Cut c = cut(kept, y);
        return c.upper * (1 - c.upper) + c.lower * (1 - c.lower);
      }
      default:
        return scale_;
    }
  }

  /// beside += scale * d2l / dz dpsi.
  void mixed(T kept, T y, T scale, T* beside) const {
    if (family_ == Family::kGaussian) {
      beside[0] -= scale * kept;
    } else if (family_ == Family::kNegativeBinomial) {
      beside[0] += scale * (scale_ * kept - (scale_ + y) * kept * (1 - kept));
    } else if (family_ == Family::kOrdinal) {
      const Cut c = cut(kept, y);
      if (c.has_upper) beside[c.y] -= scale * c.upper * (1 - c.upper);
      if (c.has_lower) beside[c.y - 1] -= scale * c.lower * (1 - c.lower);
    }
  }

  /// l(z); beside += scale * dl/dpsi.
  double loss(const T* z, T y, T scale, T* beside) const {
    switch (family_) {
      case Family::kScores:
      case Family::kBernoulli:
        return softplus(z[0]) - y * z[0];
      case Family::kPoisson:
        return std::exp(z[0]) - y * z[0] + std::lgamma(y + 1);
      case Family::kCategorical: {
        T largest = z[0], sum = 0;
        for (int64_t o = 1; o < outputs_; ++o) largest = std::max(largest, z[o]);
        for (int64_t o = 0; o < outputs_; ++o) sum += std::exp(z[o] - largest);
        return std::log(sum) + largest - z[static_cast<int64_t>(y)];
      }
      case Family::kNegativeBinomial:
        return negative_binomial(z[0], y, scale, beside);
      case Family::kOrdinal:
        return ordinal(z[0], y, scale, beside);
      default: {
        const T e = (z[0] - y) * (z[0] - y) * scale_;
        if (beside) beside[0] += scale * T(0.5) * (1 - e);
        return 0.5 * (e + beside_[0] + std::log(2 * std::numbers::pi));
      }
    }
  }

  double negative_binomial(T z, T y, T scale, T* beside) const {
    const T log_r = beside_[0], r = scale_, log_sum = log_r + softplus(z - log_r);
    if (beside) {
      // d/dr of lgamma(y + r) - lgamma(r) for a count y: a sum of y fractions.
      T fractions = 0;
      for (T j = 0; j < y; ++j) fractions += 1 / (r + j);
      const T share = sigmoid(log_r - z);
      beside[0] -= scale * (r * fractions + r * (log_r - log_sum) + r * (1 - share) - y * share);
    }
    return -(std::lgamma(y + r) - std::lgamma(r) - std::lgamma(y + 1) + r * (log_r - log_sum) + y * (z - log_sum));
  }

  double ordinal(T z, T y, T scale, T* beside) const {
    const Cut c = cut(z, y);
    double result = 0;
    T width = 0;  // 1 / (e^(step between the thresholds) - 1)
    if (c.has_upper && c.has_lower) {
      const T step = beside_[c.y] - beside_[c.y - 1];
      width = 1 / std::expm1(step);
      result -= std::log1p(-std::exp(-step));
    }
    if (c.has_upper) {
      result += softplus(z - beside_[c.y]);
      if (beside) beside[c.y] -= scale * (1 - c.upper + width);
    }
    if (c.has_lower) {
      result += softplus(beside_[c.y - 1] - z);
      if (beside) beside[c.y - 1] += scale * (c.lower + width);
    }
    return result;
  }

  Family family_;
  int64_t outputs_;
  std::span<const T> beside_;
  T scale_;  // gaussian: 1 / v; negative-binomial: r
};

}  // namespace fewshop::dense
