#include "nn/gram_solve.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <torch/autograd.h>
#include <torch/types.h>

#include <Eigen/Cholesky>
#include <Eigen/Core>

#include "core/error.h"

namespace fewshop::nn {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// A^-1 B task by task; a [T, N, N], b [T, N, M] of doubles, contiguous.
Tensor solve_all(const Tensor& a, const Tensor& b) {
  const int64_t tasks = a.size(0), n = a.size(1), m = b.size(2);
  Tensor x = at::empty_like(b);
  Eigen::LLT<Matrix> factor(n);
  for (int64_t t = 0; t < tasks; ++t) {
    const Eigen::Map<const Matrix> system(a.data_ptr<double>() + t * n * n, n, n);
    factor.compute(system);
    if (factor.info() != Eigen::Success || !system.allFinite())
      throw Failure("training diverged: the linear system of a task is not positive definite; lower learner.lr");
    Eigen::Map<Matrix> solution(x.data_ptr<double>() + t * n * m, n, m);
    solution = factor.solve(Eigen::Map<const Matrix>(b.data_ptr<double>() + t * n * m, n, m));
  }
  return x;
}

struct SpdSolve : torch::autograd::Function<SpdSolve> {
  static Tensor forward(AutogradContext* context, const Variable& a, const Variable& b) {
    const Tensor x = solve_all(a.to(at::kDouble).contiguous(), b.to(at::kDouble).contiguous()).to(b.scalar_type());
    context->save_for_backward({a, x});
    return x;
  }

  // Written with differentiable operations, among them the solve itself: so it can be differentiated again.
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const Tensor gradient_b = SpdSolve::apply(saved[0], gradients[0]);
    return {-at::matmul(gradient_b, saved[1].transpose(1, 2)), gradient_b};
  }
};

Tensor plus_identity(const Tensor& gram) { return gram + at::eye(gram.size(1), gram.options()); }
Tensor row_system(const Tensor& v) { return plus_identity(at::matmul(v, v.transpose(1, 2))); }
Tensor weight_system(const Tensor& v) { return plus_identity(at::matmul(v.transpose(1, 2), v)); }
bool fewer_rows(const Tensor& v) { return v.size(1) <= v.size(2); }

}  // namespace

Tensor spd_solve(const Tensor& a, const Tensor& b) {
  require(a.dim() == 3 && b.dim() == 3 && a.size(1) == a.size(2) && a.size(0) == b.size(0) && a.size(1) == b.size(1),
          "spd_solve: expected a [T, N, N] and b [T, N, M], got ", a.sizes(), " and ", b.sizes());
  if (b.numel() == 0) return b;
  return SpdSolve::apply(a, b);
}

Tensor gram_solve(const Tensor& v, const Tensor& b) {
  require(v.dim() == 3 && b.dim() == 3 && v.size(0) == b.size(0) && v.size(2) == b.size(1),
          "gram_solve: expected v [T, N, D] and b [T, D, M], got ", v.sizes(), " and ", b.sizes());
  if (!fewer_rows(v)) return spd_solve(weight_system(v), b);
  return b - at::matmul(v.transpose(1, 2), spd_solve(row_system(v), at::matmul(v, b)));
}

Tensor ridge_solve(const Tensor& v, const Tensor& r) {
  require(v.dim() == 3 && r.dim() == 3 && v.size(0) == r.size(0) && v.size(1) == r.size(1),
          "ridge_solve: expected v [T, N, D] and r [T, N, M], got ", v.sizes(), " and ", r.sizes());
  if (!fewer_rows(v)) return spd_solve(weight_system(v), at::matmul(v.transpose(1, 2), r));
  return at::matmul(v.transpose(1, 2), spd_solve(row_system(v), r));
}

}  // namespace fewshop::nn
