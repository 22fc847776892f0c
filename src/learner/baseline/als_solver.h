#pragma once

#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <vector>

#include "core/error.h"
#include "core/parallel.h"
#include "core/random.h"
#include "learner/baseline/interactions.h"

namespace fewshop {

using RowMatrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// What one entry adds to the system of its row: weight f fᵀ to the matrix, target f to the right side.
struct EntryTerms {
  float weight, target;
};

/// One half of a sweep: out[r] = (base + sum_e weight_e f_e f_eᵀ)⁻¹ (right[r] + sum_e target_e f_e) for every row r
/// with entries, where f_e = features[column of e]. Rows without entries are left as they are.
///
///   features [columns, d], base [d, d], right [rows, d] or empty, out [rows, d]; terms(row, e) -> EntryTerms
///
/// If `trace` is given, trace[r] = trace(A⁻¹ sum_e weight_e f_e f_eᵀ), the effective number of parameters of row r.
template <class Terms>
void solve_rows(const Interactions& side, const RowMatrix& features, const Eigen::MatrixXf& base,
                const RowMatrix& right, int threads, const Terms& terms, RowMatrix& out,
                std::vector<float>* trace = nullptr) {
  const Eigen::Index d = features.cols();
  struct Buffers {
    RowMatrix rows, scaled;
    Eigen::MatrixXf system;
    Eigen::VectorXf target, solution;
    Eigen::LLT<Eigen::MatrixXf> factored;
  };
  std::vector<Buffers> workers(thread_count(threads));
  parallel_for(side.rows(), threads, 64, [&](int64_t first, int64_t last, int worker) {
    Buffers& b = workers[worker];
    for (int64_t r = first; r < last; ++r) {
      const Eigen::Index n = side.count(r);
      if (n == 0) continue;
      if (b.rows.rows() < n || b.rows.cols() != d) {
        b.rows.resize(n, d);
        b.scaled.resize(n, d);
        b.target.resize(n);
      }
      for (Eigen::Index k = 0; k < n; ++k) {
        const int64_t e = side.begin[r] + k;
        const EntryTerms entry = terms(r, e);
        b.rows.row(k) = features.row(side.column[e]);
        b.scaled.row(k) = entry.weight * b.rows.row(k);
        b.target[k] = entry.target;
      }
      b.system = base;
      b.system.noalias() += b.rows.topRows(n).transpose() * b.scaled.topRows(n);
      b.solution.noalias() = b.rows.topRows(n).transpose() * b.target.head(n);
      if (right.size()) b.solution += right.row(r).transpose();
      b.factored.compute(b.system);
      if (b.factored.info() != Eigen::Success)
        throw Failure(
            "als: a system of equations is not positive definite; use a larger ridge, or look for targets or weights "
            "that are not finite");
      b.factored.solveInPlace(b.solution);
      out.row(r) = b.solution.transpose();
      if (trace) {
        // A^-1 (A - base) has the trace d - trace(A^-1 base).
        const Eigen::MatrixXf shrunk = b.factored.solve(base);
        (*trace)[r] = static_cast<float>(d) - shrunk.trace();
      }
    }
  });
}

/// Small random factors to begin with: normal with the given standard deviation.
inline void fill_normal(RowMatrix& matrix, double deviation, Random random) {
  for (Eigen::Index i = 0; i < matrix.size(); ++i) matrix.data()[i] = static_cast<float>(deviation * random.normal());
}

}  // namespace fewshop
