#include "learner/logistic_optimum.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "runtime/gauss_hermite.h"

namespace fewshop::testing {
namespace {

using at::Tensor;
using learning::Batch;
using learning::Rows;

double sigmoid(double x) { return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x)); }

/// Rows of one task: x [n, 2], signs +1 and -1.
struct TaskRows {
  const double* x;
  std::vector<double> sign;

  double log_posterior(double a, double b) const {
    constexpr size_t kFactors = 8;  // probabilities whose product is safe: one logarithm for all of them
    double sum = -0.5 * (a * a + b * b), product = 1;
    for (size_t s = 0; s < sign.size(); ++s) {
      product *= 1 + std::exp(-sign[s] * (a * x[2 * s] + b * x[2 * s + 1]));
      if (s % kFactors == kFactors - 1) {
        sum -= std::log(product);
        product = 1;
      }
    }
    return sum - std::log(product);
  }
};

/// Mode of the posterior and the lower Cholesky factor of the covariance there.
struct Mode {
  double a = 0, b = 0, l11 = 1, l21 = 0, l22 = 1;
};

Mode find_mode(const TaskRows& rows) {
  Mode m;
  constexpr int kSteps = 50;
  double h11 = 1, h12 = 0, h22 = 1;
  for (int step = 0; step < kSteps; ++step) {
    double g1 = -m.a, g2 = -m.b;
    h11 = h22 = 1, h12 = 0;
    for (size_t s = 0; s < rows.sign.size(); ++s) {
      const double x1 = rows.x[2 * s], x2 = rows.x[2 * s + 1], p = sigmoid(-rows.sign[s] * (m.a * x1 + m.b * x2));
      g1 += p * rows.sign[s] * x1, g2 += p * rows.sign[s] * x2;
      h11 += p * (1 - p) * x1 * x1, h12 += p * (1 - p) * x1 * x2, h22 += p * (1 - p) * x2 * x2;
    }
    const double det = h11 * h22 - h12 * h12;
    double da = (h22 * g1 - h12 * g2) / det, db = (h11 * g2 - h12 * g1) / det;
    const double before = rows.log_posterior(m.a, m.b);
    while (rows.log_posterior(m.a + da, m.b + db) < before - 1e-12) da /= 2, db /= 2;
    m.a += da, m.b += db;
    if (std::abs(da) + std::abs(db) < 1e-10) break;
  }
  const double det = h11 * h22 - h12 * h12, c11 = h22 / det, c12 = -h12 / det, c22 = h11 / det;
  m.l11 = std::sqrt(c11), m.l21 = c12 / m.l11, m.l22 = std::sqrt(c22 - m.l21 * m.l21);
  return m;
}

}  // namespace

Batch LogisticTasks::batch(int64_t tasks, int64_t support, int64_t query, const Random& random) const {
  // Without noise the target of linear regression is the link value.
  const LinearTasks linear{at::zeros({2}, at::kDouble), deviation * deviation * at::eye(2, at::kDouble), 0};
  Batch batch = draw_tasks(linear, tasks, support, query, random);
  Random draws = random.fork("targets");
  for (Rows* rows : {&batch.support, &batch.query}) {
    rows->target = rows->target.contiguous().clone();
    double* y = rows->target.data_ptr<double>();
    for (int64_t i = 0; i < rows->target.numel(); ++i) y[i] = draws.uniform() < sigmoid(y[i]) ? 1 : 0;
  }
  return batch;
}

Tensor LogisticTasks::best(const Batch& batch) const {
  static const auto rule = make_gauss_hermite<12>();
  const Tensor x = (deviation * batch.support.x.numbers).contiguous(), x_query = deviation * batch.query.x.numbers;
  const Tensor queries = x_query.contiguous(), y = batch.support.target.contiguous();
  Tensor best = at::empty(batch.query.target.sizes(), at::kDouble);
  const int64_t k = y.size(1), q = best.size(1);
  for (int64_t t = 0; t < best.size(0); ++t) {
    TaskRows rows{x.data_ptr<double>() + 2 * k * t, {}};
    for (int64_t s = 0; s < k; ++s) rows.sign.push_back(2 * y.data_ptr<double>()[t * k + s] - 1);
    const Mode m = find_mode(rows);
    const double at_mode = rows.log_posterior(m.a, m.b);
    double total = 0;
    std::vector<double> sums(q, 0);
    for (size_t i = 0; i < rule.node.size(); ++i)
      for (size_t j = 0; j < rule.node.size(); ++j) {
        const double u = rule.node[i], v = rule.node[j];
        const double a = m.a + m.l11 * u, b = m.b + m.l21 * u + m.l22 * v;
        // The rule integrates against N(0, I): what is left of the posterior is its ratio to the normal at the mode.
        const double weight =
            rule.weight[i] * rule.weight[j] * std::exp(rows.log_posterior(a, b) - at_mode + 0.5 * (u * u + v * v));
        total += weight;
        for (int64_t r = 0; r < q; ++r) {
          const double* row = queries.data_ptr<double>() + 2 * (t * q + r);
          sums[r] += weight * sigmoid(a * row[0] + b * row[1]);
        }
      }
    for (int64_t r = 0; r < q; ++r) best.data_ptr<double>()[t * q + r] = sums[r] / total;
  }
  return best;
}

Excess excess_log_loss(const learning::EpisodicModel& model, const LogisticTasks& problem, int64_t k, int64_t tasks,
                       uint64_t seed) {
  constexpr int64_t kBatch = 1000, kQuery = 4;
  at::NoGradGuard no_grad;
  const Random random = Random(seed).fork("excess").fork(static_cast<uint64_t>(k));
  double sum = 0, squares = 0, risk = 0;
  for (int64_t begin = 0; begin < tasks; begin += kBatch) {
    const Batch batch =
        problem.batch(std::min(kBatch, tasks - begin), k, kQuery, random.fork(static_cast<uint64_t>(begin)));
    const Tensor &y = batch.query.target, best = problem.best(batch);
    const Tensor log_best = (y * best + (1 - y) * (1 - best)).log();
    const auto distribution = model.predict(model.adapt(batch.support, batch.task), batch.query);
    const Tensor difference = (log_best - distribution.log_prob(y).to(at::kDouble)).mean(1);
    sum += difference.sum().item<double>();
    squares += difference.square().sum().item<double>();
    risk -= log_best.mean(1).sum().item<double>();
  }
  const auto n = static_cast<double>(tasks);
  const double mean = sum / n, error = std::sqrt((squares / n - mean * mean) / n);
  return {mean / (risk / n), error / (risk / n), risk / n};
}

}  // namespace fewshop::testing
