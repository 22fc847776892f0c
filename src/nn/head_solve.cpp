#include "nn/head_solve.h"

#include <torch/autograd.h>
#include <torch/types.h>

#include <Eigen/Cholesky>
#include <Eigen/Core>

#include "core/error.h"

namespace fewshop::nn {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Vector = Eigen::VectorXd;

template <class T>
auto matrix(const at::Tensor& t, int64_t task) {
  using Map = Eigen::Map<const Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>;
  const int64_t rows = t.size(1), columns = t.size(2);
  return Map(t.data_ptr<T>() + task * rows * columns, rows, columns).template cast<double>();
}

template <class T>
auto vector(const at::Tensor& t, int64_t task) {
  const int64_t size = t.size(1);
  return Eigen::Map<const Eigen::Matrix<T, Eigen::Dynamic, 1>>(t.data_ptr<T>() + task * size, size)
      .template cast<double>();
}

template <class T, class Source>
void store(at::Tensor& t, int64_t task, const Source& source) {
  T* out = t.data_ptr<T>() + task * t.stride(0);
  for (int64_t i = 0; i < source.rows(); ++i)
    for (int64_t j = 0; j < source.cols(); ++j) *out++ = static_cast<T>(source(i, j));
}

/// The rows of one task that are not padding (beta > 0 up to the last such row).
int64_t used_rows(const Vector& beta) {
  int64_t n = beta.size();
  while (n > 0 && beta[n - 1] == 0) --n;
  return n;
}

struct HeadSolve : torch::autograd::Function<HeadSolve> {
  static variable_list forward(AutogradContext* context, const Variable& x_, const Variable& y_, const Variable& beta_,
                               const Variable& precision_, const Variable& mean_, const Variable& x_query_) {
    const at::Tensor x = x_.contiguous(), y = y_.contiguous(), beta = beta_.contiguous(),
                     precision = precision_.contiguous(), mean = mean_.contiguous(), x_query = x_query_.contiguous();
    const int64_t tasks = x.size(0), d = x.size(2), queries = x_query.size(1);
    at::Tensor weights = at::empty({tasks, d}, x.options());
    at::Tensor variance = at::empty({tasks, queries}, x.options());
    // Kept for backward, in double: the factor L of A, and A^-1 X_q^T.
    at::Tensor factor = at::empty({tasks, d, d}, x.options().dtype(at::kDouble));
    at::Tensor solved = at::empty({tasks, queries, d}, x.options().dtype(at::kDouble));
    AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "head_solve", [&] {
      const Matrix prior = matrix<scalar_t>(precision.unsqueeze(0), 0);
      Matrix a(d, d), features, scaled;
      Eigen::LLT<Matrix> llt(d);
      for (int64_t t = 0; t < tasks; ++t) {
        const Vector b = vector<scalar_t>(beta, t);
        const int64_t n = used_rows(b);
        features = matrix<scalar_t>(x, t).topRows(n);
        scaled = b.head(n).asDiagonal() * features;
        const Vector m = vector<scalar_t>(mean, t);
        const Vector e = vector<scalar_t>(y, t).head(n) - features * m;
        a = prior;
        a.noalias() += features.transpose() * scaled;
        llt.compute(a);
        if (llt.info() != Eigen::Success || !a.allFinite())
          throw Failure("head_solve: the posterior precision of a task is not positive definite");
        store<scalar_t>(weights, t, (m + llt.solve(scaled.transpose() * e)).eval());
        const Matrix l = llt.matrixL();
        store<double>(factor, t, l);
        if (queries == 0) continue;
        const Matrix xq = matrix<scalar_t>(x_query, t);
        const Matrix u = llt.solve(xq.transpose()).transpose();
        store<double>(solved, t, u);
        store<scalar_t>(variance, t, (u.array() * xq.array()).rowwise().sum().matrix().eval());
      }
    });
    context->save_for_backward({x, y, beta, mean, x_query, weights, factor, solved});
    return {weights, variance};
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &y = saved[1], &beta = saved[2], &mean = saved[3], &x_query = saved[4],
                     &weights = saved[5], &factor = saved[6], &solved = saved[7];
    const int64_t tasks = x.size(0), d = x.size(2), queries = x_query.size(1);
    const at::Tensor g_weights = gradients[0].defined() ? gradients[0].contiguous() : at::zeros_like(weights);
    const at::Tensor g_variance =
        gradients[1].defined() ? gradients[1].contiguous() : at::zeros({tasks, queries}, x.options());
    at::Tensor dx = at::zeros_like(x), dy = at::zeros_like(y), dbeta = at::zeros_like(beta),
               dmean = at::empty_like(mean), dx_query = at::empty_like(x_query);
    Matrix dprecision = Matrix::Zero(d, d);
    AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "head_solve_backward", [&] {
      Matrix features, ga;
      for (int64_t t = 0; t < tasks; ++t) {
        const Vector b_all = vector<scalar_t>(beta, t);
        const int64_t n = used_rows(b_all);
        const Vector b = b_all.head(n), m = vector<scalar_t>(mean, t), p = vector<scalar_t>(g_weights, t);
        features = matrix<scalar_t>(x, t).topRows(n);
        const Vector e = vector<scalar_t>(y, t).head(n) - features * m;
        const Vector z = vector<scalar_t>(weights, t) - m;  // A^-1 X^T B e
        const auto l = Eigen::Map<const Matrix>(factor.data_ptr<double>() + t * d * d, d, d)
                           .template triangularView<Eigen::Lower>();
        const Vector v = l.transpose().solve(l.solve(p));  // A^-1 times the gradient of the weights
        // Gradient of A, symmetrised: the precision matrix and X^T B X are symmetric.
        ga = -0.5 * (v * z.transpose() + z * v.transpose());
        if (queries > 0) {
          const Vector h = vector<scalar_t>(g_variance, t);
          const Eigen::Map<const Matrix> u(solved.data_ptr<double>() + t * queries * d, queries, d);
          ga.noalias() -= u.transpose() * h.asDiagonal() * u;
          store<scalar_t>(dx_query, t, (2.0 * (h.asDiagonal() * u)).eval());
        }
        dprecision += ga;
        const Vector xv = features * v;
        const Matrix xga = features * ga;
        const Vector de = (b.array() * xv.array()).matrix();
        const Matrix gx =
            2.0 * (b.asDiagonal() * xga) + (b.array() * e.array()).matrix() * v.transpose() - de * m.transpose();
        store<scalar_t>(dx, t, gx);
        store<scalar_t>(dy, t, de);
        store<scalar_t>(dbeta, t,
                        ((xga.array() * features.array()).rowwise().sum() + e.array() * xv.array()).matrix().eval());
        store<scalar_t>(dmean, t, (p - features.transpose() * de).eval());
      }
    });
    at::Tensor dp = at::empty({1, d, d}, x.options());
    AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "head_solve_backward", [&] { store<scalar_t>(dp, 0, dprecision); });
    return {dx, dy, dbeta, dp.squeeze(0), dmean, dx_query};
  }
};

}  // namespace

HeadSolution head_solve(const at::Tensor& x, const at::Tensor& y, const at::Tensor& beta, const at::Tensor& precision,
                        const at::Tensor& mean, const at::Tensor& x_query) {
  const auto fits = [&](const at::Tensor& t, at::IntArrayRef shape) { return t.sizes() == shape; };
  require(x.dim() == 3 && x_query.dim() == 3, "head_solve: expected x [T, S, D] and x_query [T, Q, D], got ", x.sizes(),
          " and ", x_query.sizes());
  const int64_t tasks = x.size(0), rows = x.size(1), d = x.size(2);
  require(fits(y, {tasks, rows}) && fits(beta, {tasks, rows}) && fits(precision, {d, d}) && fits(mean, {tasks, d}) &&
              x_query.size(0) == tasks && x_query.size(2) == d,
          "head_solve: shapes disagree: x ", x.sizes(), ", y ", y.sizes(), ", beta ", beta.sizes(), ", precision ",
          precision.sizes(), ", mean ", mean.sizes(), ", x_query ", x_query.sizes());
  const auto result = HeadSolve::apply(x, y, beta, precision, mean, x_query);
  return {result[0], result[1]};
}

}  // namespace fewshop::nn
