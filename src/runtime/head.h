#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace fewshop {

/// Doubles aligned for vector loads. Grows, never shrinks: no allocation once the largest size was seen.
class AlignedDoubles {
 public:
  /// At least n doubles; contents are undefined after growth.
  double* grow(size_t n) {
    if (n > capacity_) {
      data_.reset(static_cast<double*>(::operator new[](n * sizeof(double), std::align_val_t{64})));
      capacity_ = n;
    }
    return data_.get();
  }
  double* get() const { return data_.get(); }

 private:
  struct Free {
    void operator()(double* p) const { ::operator delete[](p, std::align_val_t{64}); }
  };
  std::unique_ptr<double[], Free> data_;
  size_t capacity_ = 0;
};

/// The posterior of one task's linear head. Item vectors are whitened when stored, so the prior is always N(m, I):
///
///   w ~ N(m, I),   y_s = phi_s . w + noise of variance 1 / beta_s,   e_s = y_s - phi_s . m
///   A = I + sum over s of beta_s phi_s phi_s^T,   E[w] = m + A^-1 sum over s of beta_s phi_s e_s,   Cov[w] = A^-1
///
/// Solved in closed form in double: dual (a system in the rows) where there are at most d usable rows, else primal (a
/// system in the d weights). docs/runtime.md has figures.
///
/// A row counts as absent, bit for bit, where beta_s is not above 0 or where its target or vector is not finite. A
/// precision is capped at 1e10 / |phi_s|^2, so that contradicting rows with huge precisions still have a solution.
/// Entries of the mean that are not finite count as 0. So no input leads to NaN.
///
/// Life cycle: solve(), then any of the others, which refer to the last solve(). One object belongs to one thread; it
/// allocates only when a size exceeds all earlier ones.
class HeadPosterior {
 public:
  /// Adapts to S rows.
  ///   vectors: row r begins at vectors + r * stride and has d floats; any alignment
  ///   rows [S] row numbers into vectors, y [S] targets, beta [S] precisions, mean [d] or empty (= 0)
  void solve(const float* vectors, int64_t stride, int d, std::span<const int32_t> rows, std::span<const float> y,
             std::span<const float> beta, std::span<const float> mean);

  /// The rows, precisions and mean of the last solve() with other targets y [S], by the factor that is there already;
  /// rows that did not count still do not, and a target that is not finite counts as its prior prediction.
  void solve_again(std::span<const float> y);

  /// Posterior mean [d].
  std::span<const float> weights() const { return weights_; }
  /// The same before it was rounded to float.
  std::span<const double> weights_double() const { return {exact_.get(), static_cast<size_t>(d_)}; }

  /// Posterior variance of phi . w, for phi [d]: phi^T A^-1 phi, never below 0.
  float variance(const float* phi) const;

  /// The sum of the variances of all d weights: the trace of A^-1. Takes as long as d variances.
  double total_variance() const;

  /// How every row moves the score of phi [d]:  phi . E[w] = phi . m + sum over s of h_s e_s  (h [S]; 0 for absent
  /// rows).
  void equivalent_kernel(const float* phi, std::span<double> h) const;

  /// e_s [S] = y_s - phi_s . m; 0 for absent rows.
  std::span<const double> residuals() const { return residuals_; }

 private:
  void factor(int rows, int inner, const double* matrix, const double* diagonal, double* right_side);
  double variance_of_query() const;
  void forward(double* x) const;
  void backward(double* x) const;

  int d_ = 0, d_pad_ = 0;
  int n_ = 0, n_pad_ = 0;  // order of the system that was solved
  bool dual_ = true, zero_mean_ = true;
  std::vector<int32_t> used_;        // positions among the S rows that count
  std::vector<float> weights_;       // [d]
  std::vector<double> residuals_;    // [S]
  AlignedDoubles exact_;             // [d_pad]
  AlignedDoubles mean_;              // [d_pad]
  AlignedDoubles rows_;              // [used, d_pad] vectors of the rows that count
  AlignedDoubles transposed_;        // [d_pad, used padded] primal: the same, scaled by the root of the precision
  AlignedDoubles noise_;             // [used padded] noise variances
  AlignedDoubles scaled_residuals_;  // [used padded]
  AlignedDoubles diagonal_;          // [n_pad]
  AlignedDoubles lower_;             // [n_pad, n_pad] Cholesky factor left of its diagonal blocks
  AlignedDoubles inverse_blocks_;    // [n_pad / 4, 4, 4] inverses of its diagonal blocks, column by column
  AlignedDoubles solution_;          // [n_pad]
  mutable AlignedDoubles query_, scratch_;
};

}  // namespace fewshop
