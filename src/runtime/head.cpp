#include "runtime/head.h"

#ifdef __AVX__
#include <immintrin.h>
#endif

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>
#include <limits>

namespace fewshop {
namespace {

// Axes: n order of the system, k inner dimension of its Gram matrix; both padded to blocks of 4 with zeros.

constexpr int kBlock = 4;
using Lanes = double __attribute__((vector_size(32), may_alias));
using FloatLanes = float __attribute__((vector_size(16), may_alias));

constexpr double kMaxCertainty = 1e10;  // largest beta |phi|^2: beyond, double precision could not tell rows apart
constexpr double kMinNoise = 1e-100;    // noise of a row whose vector is zero

int padded(int n) { return (n + kBlock - 1) / kBlock * kBlock; }

inline Lanes load(const double* p) { return *reinterpret_cast<const Lanes*>(p); }
inline void store(double* p, Lanes x) { *reinterpret_cast<Lanes*>(p) = x; }
inline Lanes all(double x) { return Lanes{x, x, x, x}; }

inline Lanes load_floats(const float* p) {
#ifdef __AVX__
  return _mm256_cvtps_pd(_mm_loadu_ps(p));  // g++ 12 makes five instructions of __builtin_convertvector
#else
  FloatLanes x;
  std::memcpy(&x, p, sizeof(x));
  return __builtin_convertvector(x, Lanes);
#endif
}

inline void store_floats(float* p, Lanes x) {
#ifdef __AVX__
  _mm_storeu_ps(p, _mm256_cvtpd_ps(x));
#else
  const FloatLanes y = __builtin_convertvector(x, FloatLanes);
  std::memcpy(p, &y, sizeof(y));
#endif
}

inline Lanes roots(Lanes x) {
#ifdef __AVX__
  return _mm256_sqrt_pd(x);
#else
  return Lanes{std::sqrt(x[0]), std::sqrt(x[1]), std::sqrt(x[2]), std::sqrt(x[3])};
#endif
}

inline double sum(Lanes x) { return (x[0] + x[1]) + (x[2] + x[3]); }

/// The four sums of four vectors.
inline Lanes sums(Lanes a, Lanes b, Lanes c, Lanes d) {
  const Lanes ab = __builtin_shufflevector(a, b, 0, 4, 2, 6) + __builtin_shufflevector(a, b, 1, 5, 3, 7);
  const Lanes cd = __builtin_shufflevector(c, d, 0, 4, 2, 6) + __builtin_shufflevector(c, d, 1, 5, 3, 7);
  return __builtin_shufflevector(ab, cd, 0, 1, 4, 5) + __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
}

struct Pair {
  Lanes first, second;
};

/// Two rows of a 4 x 4 tile:  tile[i][j] = a_i . b_j - c_i . e_j  for i in 0, 1 and j in 0..3.
/// Eight accumulators keep both multiply-add units busy; more would not fit the registers.
inline Pair tile_rows(const double* a, const double* b, int64_t stride, int k, const double* c, const double* e,
                      int64_t lower_stride, int lower_k) {
  Lanes s00{}, s01{}, s02{}, s03{}, s10{}, s11{}, s12{}, s13{};
  const double *a1 = a + stride, *b1 = b + stride, *b2 = b1 + stride, *b3 = b2 + stride;
  for (int i = 0; i < k; i += kBlock) {
    const Lanes x0 = load(a + i), x1 = load(a1 + i);
    Lanes y = load(b + i);
    s00 += x0 * y, s10 += x1 * y;
    y = load(b1 + i);
    s01 += x0 * y, s11 += x1 * y;
    y = load(b2 + i);
    s02 += x0 * y, s12 += x1 * y;
    y = load(b3 + i);
    s03 += x0 * y, s13 += x1 * y;
  }
  const double *c1 = c + lower_stride, *e1 = e + lower_stride, *e2 = e1 + lower_stride, *e3 = e2 + lower_stride;
  for (int i = 0; i < lower_k; i += kBlock) {
    const Lanes x0 = load(c + i), x1 = load(c1 + i);
    Lanes y = load(e + i);
    s00 -= x0 * y, s10 -= x1 * y;
    y = load(e1 + i);
    s01 -= x0 * y, s11 -= x1 * y;
    y = load(e2 + i);
    s02 -= x0 * y, s12 -= x1 * y;
    y = load(e3 + i);
    s03 -= x0 * y, s13 -= x1 * y;
  }
  return {sums(s00, s01, s02, s03), sums(s10, s11, s12, s13)};
}

/// The lower half of the tile on the diagonal:  block[i][j] = a_i . a_j - c_i . c_j  for j <= i; the rest is 0.
inline void diagonal_tile(const double* a, int64_t stride, int k, const double* c, int64_t lower_stride, int lower_k,
                          Lanes (&block)[4]) {
  Lanes s00{}, s10{}, s11{}, s20{}, s21{}, s22{}, s30{}, s31{}, s32{}, s33{};
  for (int i = 0; i < k; i += kBlock) {
    const Lanes x0 = load(a + i), x1 = load(a + stride + i), x2 = load(a + 2 * stride + i),
                x3 = load(a + 3 * stride + i);
    s00 += x0 * x0, s10 += x1 * x0, s20 += x2 * x0, s30 += x3 * x0;
    s11 += x1 * x1, s21 += x2 * x1, s31 += x3 * x1;
    s22 += x2 * x2, s32 += x3 * x2;
    s33 += x3 * x3;
  }
  for (int i = 0; i < lower_k; i += kBlock) {
    const Lanes x0 = load(c + i), x1 = load(c + lower_stride + i), x2 = load(c + 2 * lower_stride + i),
                x3 = load(c + 3 * lower_stride + i);
    s00 -= x0 * x0, s10 -= x1 * x0, s20 -= x2 * x0, s30 -= x3 * x0;
    s11 -= x1 * x1, s21 -= x2 * x1, s31 -= x3 * x1;
    s22 -= x2 * x2, s32 -= x3 * x2;
    s33 -= x3 * x3;
  }
  const Lanes zero{};
  block[0] = sums(s00, zero, zero, zero);
  block[1] = sums(s10, s11, zero, zero);
  block[2] = sums(s20, s21, s22, zero);
  block[3] = sums(s30, s31, s32, s33);
}

/// x times the transpose of the inverse block (kept by columns).
inline Lanes times_inverse(Lanes x, const double* inverse) {
  return (all(x[0]) * load(inverse) + all(x[1]) * load(inverse + 4)) +
         (all(x[2]) * load(inverse + 8) + all(x[3]) * load(inverse + 12));
}

/// Inverse, by columns, of the Cholesky factor of a 4 x 4 block. In exact arithmetic no pivot is below the part of the
/// diagonal that was added to the Gram matrix; rounding may not take it lower.
///
/// Everything waits for this chain of dependent operations: so it divides only (block = U D U^T with ones on U's
/// diagonal), and takes the roots of all pivots at once at the end (inverse of the factor = D^-1/2 U^-1).
inline void inverse_of_factor(const Lanes (&block)[4], const double* floor, double* out) {
  const double a10 = block[1][0], a20 = block[2][0], a30 = block[3][0];
  const double r0 = 1 / std::max(block[0][0], floor[0]);
  const double u10 = a10 * r0, u20 = a20 * r0, u30 = a30 * r0;
  const double a21 = block[2][1] - u20 * a10, a31 = block[3][1] - u30 * a10;
  const double r1 = 1 / std::max(block[1][1] - u10 * a10, floor[1]);
  const double u21 = a21 * r1, u31 = a31 * r1;
  const double a32 = block[3][2] - u30 * a20 - u31 * a21;
  const double r2 = 1 / std::max(block[2][2] - u20 * a20 - u21 * a21, floor[2]);
  const double u32 = a32 * r2;
  const double r3 = 1 / std::max(block[3][3] - u30 * a30 - u31 * a31 - u32 * a32, floor[3]);
  const double i20 = u21 * u10 - u20, i31 = u32 * u21 - u31;
  const double i30 = u31 * u10 - u32 * i20 - u30;
  const Lanes scale = roots(Lanes{r0, r1, r2, r3});
  store(out, scale * Lanes{1, -u10, i20, i30});
  store(out + 4, scale * Lanes{0, 1, -u21, i31});
  store(out + 8, scale * Lanes{0, 0, 1, -u32});
  store(out + 12, scale * Lanes{0, 0, 0, 1});
}

/// Solves the block row j of L x = b:  x_j = inverse_j (b_j - L[j, :j] x[:j]).
inline void forward_block(const double* lower, int64_t stride, int j, const double* inverse, double* x) {
  Lanes s0{}, s1{}, s2{}, s3{};
  for (int i = 0; i < j; i += kBlock) {
    const Lanes y = load(x + i);
    s0 += load(lower + i) * y;
    s1 += load(lower + stride + i) * y;
    s2 += load(lower + 2 * stride + i) * y;
    s3 += load(lower + 3 * stride + i) * y;
  }
  store(x + j, times_inverse(load(x + j) - sums(s0, s1, s2, s3), inverse));
}

double dot(const double* a, const double* b, int n) {
  Lanes s{};
  for (int i = 0; i < n; i += kBlock) s += load(a + i) * load(b + i);
  return sum(s);
}

void widen(const float* from, int n, int n_pad, double* to) {
  int i = 0;
  for (; i + kBlock <= n; i += kBlock) store(to + i, load_floats(from + i));
  for (; i < n; ++i) to[i] = from[i];
  for (; i < n_pad; ++i) to[i] = 0;
}

constexpr double kMost = std::numeric_limits<float>::max();

float to_float(double x) { return static_cast<float>(std::clamp(x, -kMost, kMost)); }

/// Rounds n doubles (padded) to floats; what is too large becomes the largest.
void narrow(const double* from, int n, float* to) {
  const Lanes most = all(kMost), least = all(-kMost);
  int i = 0;
  for (; i + kBlock <= n; i += kBlock) {
    Lanes x = load(from + i);
    x = x > most ? most : x;
    store_floats(to + i, x < least ? least : x);
  }
  for (; i < n; ++i) to[i] = to_float(from[i]);
}

/// out = base + sum over s of alpha_s row_s, for rows [n, d]; n and d padded. Sixteen columns at a time stay in
/// registers.
void add_rows(const double* base, const double* rows, const double* alpha, int n, int d, double* out) {
  int i = 0;
  for (; i + 4 * kBlock <= d; i += 4 * kBlock) {
    Lanes s0 = load(base + i), s1 = load(base + i + 4), s2 = load(base + i + 8), s3 = load(base + i + 12);
    const double* row = rows + i;
    for (int s = 0; s < n; ++s, row += d) {
      const Lanes a = all(alpha[s]);
      s0 += a * load(row), s1 += a * load(row + 4), s2 += a * load(row + 8), s3 += a * load(row + 12);
    }
    store(out + i, s0), store(out + i + 4, s1), store(out + i + 8, s2), store(out + i + 12, s3);
  }
  for (; i < d; i += kBlock) {
    Lanes sum = load(base + i);
    for (int s = 0; s < n; ++s) sum += all(alpha[s]) * load(rows + static_cast<int64_t>(s) * d + i);
    store(out + i, sum);
  }
}

}  // namespace

/// Factors  L L^T = M M^T + diag(diagonal)  for M [n, k] and leaves x = L^-1 right_side in right_side. Block column by
/// block column (left-looking), so that each tile of the Gram matrix is computed where it is needed and never stored.
void HeadPosterior::factor(int rows, int inner, const double* matrix, const double* diagonal, double* right_side) {
  n_ = rows;
  n_pad_ = padded(rows);
  double* lower = lower_.grow(static_cast<size_t>(n_pad_) * n_pad_);
  double* inverse = inverse_blocks_.grow(static_cast<size_t>(n_pad_) * kBlock);
  for (int j = 0; j < n_pad_; j += kBlock) {
    const double* b = matrix + static_cast<int64_t>(j) * inner;
    const double* e = lower + static_cast<int64_t>(j) * n_pad_;
    double* inverse_j = inverse + j * kBlock;
    Lanes block[4];
    diagonal_tile(b, inner, inner, e, n_pad_, j, block);
    for (int i = 0; i < kBlock; ++i) block[i][i] += diagonal[j + i];
    inverse_of_factor(block, diagonal + j, inverse_j);
    for (int i = j + kBlock; i < n_pad_; i += 2) {
      double* c = lower + static_cast<int64_t>(i) * n_pad_;
      const auto [first, second] =
          tile_rows(matrix + static_cast<int64_t>(i) * inner, b, inner, inner, c, e, n_pad_, j);
      store(c + j, times_inverse(first, inverse_j));
      store(c + n_pad_ + j, times_inverse(second, inverse_j));
    }
    forward_block(e, n_pad_, j, inverse_j, right_side);
  }
}

/// x = L^-1 x.
void HeadPosterior::forward(double* x) const {
  for (int j = 0; j < n_pad_; j += kBlock) {
    forward_block(lower_.get() + static_cast<int64_t>(j) * n_pad_, n_pad_, j, inverse_blocks_.get() + j * kBlock, x);
  }
}

/// x = L^-T x. Each solved block is taken off all blocks before it, so that rows of L are read as they lie.
void HeadPosterior::backward(double* x) const {
  for (int j = n_pad_ - kBlock; j >= 0; j -= kBlock) {
    const double* inverse = inverse_blocks_.get() + j * kBlock;
    const Lanes b = load(x + j);
    const Lanes solved = sums(load(inverse) * b, load(inverse + 4) * b, load(inverse + 8) * b, load(inverse + 12) * b);
    store(x + j, solved);
    const double* row = lower_.get() + static_cast<int64_t>(j) * n_pad_;
    for (int i = 0; i < j; i += kBlock) {
      store(x + i, load(x + i) -
                       ((all(solved[0]) * load(row + i) + all(solved[1]) * load(row + n_pad_ + i)) +
                        (all(solved[2]) * load(row + 2 * n_pad_ + i) + all(solved[3]) * load(row + 3 * n_pad_ + i))));
    }
  }
}

void HeadPosterior::solve(const float* vectors, int64_t stride, int d, std::span<const int32_t> rows,
                          std::span<const float> y, std::span<const float> beta, std::span<const float> mean) {
  assert(d > 0 && y.size() == rows.size() && beta.size() == rows.size());
  assert(mean.empty() || mean.size() == static_cast<size_t>(d));
  const int count = static_cast<int>(rows.size());
  d_ = d;
  d_pad_ = padded(d);
  weights_.resize(d);
  residuals_.resize(count);
  used_.resize(count);

  double* m = mean_.grow(d_pad_);
  zero_mean_ = mean.empty();
  if (zero_mean_) {
    std::fill_n(m, d_pad_, 0.0);
  } else {
    widen(mean.data(), d, d_pad_, m);
    for (int i = 0; i < d; ++i) m[i] = std::abs(m[i]) <= kMost ? m[i] : 0.0;
  }

  // The rows that count, as doubles, with their residuals and noise variances.
  double* matrix = rows_.grow(static_cast<size_t>(padded(count)) * d_pad_);
  double* noise = noise_.grow(padded(count));
  double* residual = scaled_residuals_.grow(padded(count));
  int used = 0;
  for (int s = 0; s < count; ++s) {
    residuals_[s] = 0;
    if (!(beta[s] > 0) || !std::isfinite(y[s])) continue;
    const float* phi = vectors + stride * rows[s];
    double* row = matrix + static_cast<int64_t>(used) * d_pad_;
    Lanes norm{}, prior{};
    int i = 0;
    for (; i + kBlock <= d; i += kBlock) {
      const Lanes x = load_floats(phi + i);
      store(row + i, x);
      norm += x * x;
      prior += x * load(m + i);
    }
    if (i < d) {
      Lanes x{};
      for (int lane = 0; i + lane < d; ++lane) x[lane] = phi[i + lane];
      store(row + i, x);
      norm += x * x;
      prior += x * load(m + i);
    }
    const double squared = sum(norm);
    if (!std::isfinite(squared)) continue;
    noise[used] = std::max(std::max(1.0 / beta[s], squared / kMaxCertainty), kMinNoise);
    residual[used] = residuals_[s] = y[s] - sum(prior);
    used_[used++] = s;
  }
  used_.resize(used);
  dual_ = used <= d;

  const int used_pad = padded(used);
  double* exact = exact_.grow(d_pad_);
  if (dual_) {
    // (Phi Phi^T + noise) alpha = e,  E[w] = m + Phi^T alpha.
    std::fill(matrix + static_cast<int64_t>(used) * d_pad_, matrix + static_cast<int64_t>(used_pad) * d_pad_, 0.0);
    std::fill(noise + used, noise + used_pad, 1.0);
    std::fill(residual + used, residual + used_pad, 0.0);
    factor(used, d_pad_, matrix, noise, residual);
    backward(residual);
    add_rows(m, matrix, residual, used, d_pad_, exact);
  } else {
    // (I + X^T X) v = X^T e',  X = rows and residuals scaled by the root of the precision,  E[w] = m + v.
    double* transposed = transposed_.grow(static_cast<size_t>(d_pad_) * used_pad);
    std::fill_n(transposed, static_cast<size_t>(d_pad_) * used_pad, 0.0);
    std::fill(residual + used, residual + used_pad, 0.0);
    for (int s = 0; s < used; ++s) {
      const double scale = 1 / std::sqrt(noise[s]);
      const double* row = matrix + static_cast<int64_t>(s) * d_pad_;
      for (int i = 0; i < d; ++i) transposed[static_cast<int64_t>(i) * used_pad + s] = row[i] * scale;
      residual[s] *= scale;
    }
    double* diagonal = diagonal_.grow(d_pad_);
    std::fill_n(diagonal, d_pad_, 1.0);
    double* solution = solution_.grow(d_pad_);
    for (int i = 0; i < d_pad_; ++i)
      solution[i] = dot(transposed + static_cast<int64_t>(i) * used_pad, residual, used_pad);
    factor(d, used_pad, transposed, diagonal, solution);
    backward(solution);
    for (int i = 0; i < d_pad_; ++i) exact[i] = m[i] + solution[i];
  }
  narrow(exact, d, weights_.data());
}

void HeadPosterior::solve_again(std::span<const float> y) {
  assert(y.size() == residuals_.size());
  const int used = static_cast<int>(used_.size()), used_pad = padded(used);
  const double *m = mean_.get(), *matrix = rows_.get(), *noise = noise_.get();
  double *residual = scaled_residuals_.get(), *exact = exact_.get();
  std::fill(residual, residual + used_pad, 0.0);
  for (int s = 0; s < used; ++s) {
    const float target = y[used_[s]];
    const double prior = zero_mean_ ? 0 : dot(matrix + static_cast<int64_t>(s) * d_pad_, m, d_pad_);
    residual[s] = residuals_[used_[s]] = std::isfinite(target) ? target - prior : 0.0;
  }
  if (dual_) {
    forward(residual);
    backward(residual);
    add_rows(m, matrix, residual, used, d_pad_, exact);
  } else {
    const double* transposed = transposed_.get();
    double* solution = solution_.get();
    for (int s = 0; s < used; ++s) residual[s] /= std::sqrt(noise[s]);
    for (int i = 0; i < d_pad_; ++i)
      solution[i] = dot(transposed + static_cast<int64_t>(i) * used_pad, residual, used_pad);
    forward(solution);
    backward(solution);
    for (int i = 0; i < d_pad_; ++i) exact[i] = m[i] + solution[i];
  }
  narrow(exact, d_, weights_.data());
}

/// Of query_ [d_pad], which is overwritten where the system is one in the weights.
double HeadPosterior::variance_of_query() const {
  double* query = query_.get();
  if (!dual_) {
    forward(query);
    return dot(query, query, d_pad_);
  }
  double* k = scratch_.grow(std::max(n_pad_, kBlock));
  for (int s = 0; s < n_pad_; ++s) k[s] = dot(rows_.get() + static_cast<int64_t>(s) * d_pad_, query, d_pad_);
  forward(k);
  return std::max(0.0, dot(query, query, d_pad_) - dot(k, k, n_pad_));
}

float HeadPosterior::variance(const float* phi) const {
  widen(phi, d_, d_pad_, query_.grow(d_pad_));
  return to_float(variance_of_query());
}

double HeadPosterior::total_variance() const {
  double* query = query_.grow(d_pad_);
  double sum = 0;
  for (int j = 0; j < d_; ++j) {
    std::fill_n(query, d_pad_, 0.0);
    query[j] = 1;
    sum += variance_of_query();
  }
  return sum;
}

void HeadPosterior::equivalent_kernel(const float* phi, std::span<double> h) const {
  assert(h.size() == residuals_.size());
  std::fill(h.begin(), h.end(), 0.0);
  double* query = query_.grow(d_pad_);
  widen(phi, d_, d_pad_, query);
  const int used = static_cast<int>(used_.size());
  if (dual_) {
    double* k = scratch_.grow(std::max(n_pad_, kBlock));
    for (int s = 0; s < n_pad_; ++s) k[s] = dot(rows_.get() + static_cast<int64_t>(s) * d_pad_, query, d_pad_);
    forward(k);
    backward(k);
    for (int s = 0; s < used; ++s) h[used_[s]] = k[s];
  } else {
    forward(query);
    backward(query);
    for (int s = 0; s < used; ++s) {
      h[used_[s]] = dot(rows_.get() + static_cast<int64_t>(s) * d_pad_, query, d_pad_) / noise_.get()[s];
    }
  }
}

}  // namespace fewshop
