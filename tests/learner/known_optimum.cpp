#include "learner/known_optimum.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <algorithm>
#include <cmath>

namespace fewshop::testing {
namespace {

using at::Tensor;
using learning::Batch;
using learning::Rows;

constexpr int64_t kTasksAtOnce = 1000, kQuery = 10;

Tensor normal(at::IntArrayRef shape, at::ScalarType type, Random& random) {
  Tensor t = at::empty(shape, at::kDouble);
  for (int64_t i = 0; i < t.numel(); ++i) t.data_ptr<double>()[i] = random.normal();
  return t.to(type);
}

Rows rows_of(const LinearTasks& world, const Tensor& weights, int64_t size, Random random) {
  const int64_t tasks = weights.size(0);
  const at::ScalarType type = world.mean.scalar_type();
  const Tensor x = normal({tasks, size, world.inputs()}, type, random);
  Rows rows;
  rows.x = nn::numbers_only(x);
  rows.target =
      (x * weights.unsqueeze(1)).sum(2) + std::sqrt(world.noise_variance) * normal({tasks, size}, type, random);
  rows.mask = at::ones({tasks, size}, rows.target.options());
  rows.weight = rows.mask;
  rows.age = at::zeros_like(rows.mask);
  rows.item = at::zeros({tasks, size}, at::kLong);
  rows.kind = rows.item;
  return rows;
}

/// Posterior precision's Cholesky factor [T, d, d] and X^T y / noise + prior precision * mean [T, d, 1], in double.
struct Posterior {
  Tensor factor, information;
};

Posterior posterior(const LinearTasks& world, const Rows& support) {
  const Tensor x = support.x.numbers.to(at::kDouble) * support.mask.to(at::kDouble).unsqueeze(2);
  const Tensor precision = at::inverse(world.covariance.to(at::kDouble));
  const Tensor a = precision + at::matmul(x.transpose(1, 2), x) / world.noise_variance;
  const Tensor y = support.target.to(at::kDouble).unsqueeze(2);
  return {at::linalg_cholesky(a), at::matmul(x.transpose(1, 2), y) / world.noise_variance +
                                      at::matmul(precision, world.mean.to(at::kDouble).unsqueeze(1))};
}

}  // namespace

LinearTasks standard_linear_tasks(at::ScalarType type) {
  constexpr int64_t kInputs = 8;
  return {at::zeros({kInputs}, type), at::eye(kInputs, type) / kInputs, 0.5};
}

Batch draw_tasks(const LinearTasks& world, const std::vector<int64_t>& support, int64_t query, Random random) {
  const auto tasks = static_cast<int64_t>(support.size());
  Random of_weights = random.fork("weights");
  const Tensor factor = at::linalg_cholesky(world.covariance.to(at::kDouble)).to(world.mean.scalar_type());
  const Tensor weights = world.mean + at::matmul(normal({tasks, world.inputs()}, world.mean.scalar_type(), of_weights),
                                                 factor.transpose(0, 1));
  Batch batch;
  batch.support = rows_of(world, weights, *std::max_element(support.begin(), support.end()), random.fork("support"));
  batch.query = rows_of(world, weights, query, random.fork("query"));
  batch.support.mask = batch.support.mask.clone();
  for (int64_t t = 0; t < tasks; ++t)
    batch.support.mask[t].narrow(0, support[t], batch.support.mask.size(1) - support[t]).zero_();
  batch.task.description = at::full({tasks}, -1, at::kLong);
  batch.task.known = at::full({tasks}, -1, at::kLong);
  return batch;
}

Batch draw_tasks(const LinearTasks& world, int64_t tasks, int64_t support, int64_t query, Random random) {
  return draw_tasks(world, std::vector<int64_t>(tasks, support), query, random);
}

Tensor bayes_predictor(const LinearTasks& world, const Batch& batch) {
  const Posterior p = posterior(world, batch.support);
  const Tensor w = at::cholesky_solve(p.information, p.factor);
  return at::matmul(batch.query.x.numbers.to(at::kDouble), w).squeeze(2);
}

Tensor bayes_variance(const LinearTasks& world, const Batch& batch) {
  const Tensor x = batch.query.x.numbers.to(at::kDouble);
  const Tensor u = at::cholesky_solve(x.transpose(1, 2), posterior(world, batch.support).factor);
  return (x * u.transpose(1, 2)).sum(2) + world.noise_variance;
}

Excess excess_risk(const LinearTasks& world, int64_t support, int64_t tasks, Random random,
                   const std::function<Tensor(const Batch&)>& predict) {
  at::NoGradGuard no_grad;
  std::vector<Tensor> differences;
  double risk = 0;
  for (int64_t begin = 0; begin < tasks; begin += kTasksAtOnce) {
    const int64_t count = std::min(kTasksAtOnce, tasks - begin);
    const Batch batch = draw_tasks(world, count, support, kQuery, random.fork(static_cast<uint64_t>(begin)));
    const Tensor y = batch.query.target.to(at::kDouble);
    const auto squared_error = [&](const Tensor& f) { return (y - f.to(at::kDouble)).square(); };
    differences.push_back((squared_error(predict(batch)) - squared_error(bayes_predictor(world, batch))).mean(1));
    risk += bayes_variance(world, batch).mean().item<double>() * static_cast<double>(count);
  }
  const Tensor all = at::cat(differences);
  risk /= static_cast<double>(tasks);
  return {all.mean().item<double>() / risk, all.std().item<double>() / std::sqrt(static_cast<double>(tasks)) / risk,
          risk};
}

}  // namespace fewshop::testing
