#include "learner/baseline/spd_inverse.h"

#include <Eigen/Cholesky>
#include <Eigen/Core>

#include "core/cancel.h"

namespace fewshop {

namespace {

using Matrix = Eigen::MatrixXf;
using Block = Eigen::Ref<Matrix, 0, Eigen::OuterStride<>>;
constexpr Eigen::Index kLeaf = 64;

/// L -> L^-1, lower triangle, in place:  [A 0; C B]^-1 = [A^-1 0; -B^-1 C A^-1  B^-1].
void invert_lower(Block l) {
  const Eigen::Index n = l.rows();
  if (n <= kLeaf) {
    const Matrix inverse = l.triangularView<Eigen::Lower>().solve(Matrix::Identity(n, n));
    l.triangularView<Eigen::Lower>() = inverse;
    return;
  }
  check_cancelled();
  const Eigen::Index half = n / 2;
  Block a = l.topLeftCorner(half, half), b = l.bottomRightCorner(n - half, n - half),
        c = l.bottomLeftCorner(n - half, half);
  b.triangularView<Eigen::Lower>().solveInPlace(c);
  a.triangularView<Eigen::Lower>().solveInPlace<Eigen::OnTheRight>(c);
  c = -c;
  invert_lower(a);
  invert_lower(b);
}

/// L -> Lᵀ L, lower triangle, in place:  [A 0; C B] -> [AᵀA + CᵀC, .; BᵀC, BᵀB].
void multiply_by_transpose(Block l) {
  const Eigen::Index n = l.rows();
  if (n <= kLeaf) {
    const Matrix lower = l.triangularView<Eigen::Lower>();
    const Matrix product = lower.transpose() * lower;
    l.triangularView<Eigen::Lower>() = product;
    return;
  }
  check_cancelled();
  const Eigen::Index half = n / 2;
  Block a = l.topLeftCorner(half, half), b = l.bottomRightCorner(n - half, n - half),
        c = l.bottomLeftCorner(n - half, half);
  multiply_by_transpose(a);
  a.selfadjointView<Eigen::Lower>().rankUpdate(c.transpose());
  const Matrix product = b.triangularView<Eigen::Lower>().transpose() * c;
  c = product;
  multiply_by_transpose(b);
}

}  // namespace

bool invert_spd(float* matrix, int64_t n) {
  if (n == 0) return true;
  Eigen::Map<Matrix> map(matrix, n, n);
  Block block = map;
  const Eigen::LLT<Block> factored(block);
  if (factored.info() != Eigen::Success) return false;
  invert_lower(block);
  multiply_by_transpose(block);
  return true;
}

}  // namespace fewshop
