#pragma once

#include <cmath>
#include <cstddef>

namespace fewshop {

// Cholesky factors of the small systems that adapting solves: plain loops in double, no allocation. Matrices are
// row-major [n, n]; only the upper triangle is read and written. The inner loops run along rows, so that the compiler
// turns them into vector instructions without being allowed to reorder sums.

/// a += weight * f fᵀ in the upper triangle; f [n].
inline void add_outer_product(double* a, int n, double weight, const double* f) {
  for (int i = 0; i < n; ++i) {
    double* row = a + static_cast<size_t>(i) * n;
    const double scale = weight * f[i];
    for (int j = i; j < n; ++j) row[j] += scale * f[j];
  }
}

/// A = Uᵀ U in place. False where A is not positive definite (or not finite).
inline bool cholesky_in_place(double* a, int n) {
  for (int i = 0; i < n; ++i) {
    double* row = a + static_cast<size_t>(i) * n;
    if (!(row[i] > 0) || !std::isfinite(row[i])) return false;
    const double inverse = 1 / std::sqrt(row[i]);
    for (int j = i; j < n; ++j) row[j] *= inverse;
    for (int k = i + 1; k < n; ++k) {
      double* below = a + static_cast<size_t>(k) * n;
      const double scale = row[k];
      for (int j = k; j < n; ++j) below[j] -= scale * row[j];
    }
  }
  return true;
}

/// x = U⁻ᵀ x in place.
inline void solve_transposed(const double* u, int n, double* x) {
  for (int i = 0; i < n; ++i) {
    const double* row = u + static_cast<size_t>(i) * n;
    x[i] /= row[i];
    const double value = x[i];
    for (int j = i + 1; j < n; ++j) x[j] -= value * row[j];
  }
}

/// x = U⁻¹ x in place.
inline void solve_upper(const double* u, int n, double* x) {
  for (int i = n - 1; i >= 0; --i) {
    const double* row = u + static_cast<size_t>(i) * n;
    double sum = x[i];
    for (int j = i + 1; j < n; ++j) sum -= row[j] * x[j];
    x[i] = sum / row[i];
  }
}

/// x = (Uᵀ U)⁻¹ x in place.
inline void solve_cholesky(const double* u, int n, double* x) {
  solve_transposed(u, n, x);
  solve_upper(u, n, x);
}

}  // namespace fewshop
