#include "learner/stack/stack_fit.h"

#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <algorithm>
#include <cmath>

namespace fewshop {
namespace {

// How strongly weights are held: the pseudo-count of tasks that vote for "the learner alone" (all cells together) and
// for "as in the other cells" (each cell).
constexpr double kSharedTasks = 5, kCellTasks = 40;

using Matrix = Eigen::MatrixXd;
using Vector = Eigen::VectorXd;

/// What one row of each sample weighs: samples alike, or by the rows that they stand for; 1 per sample on average.
std::vector<double> row_weights(std::span<const Sample> samples, const Metric& metric) {
  std::vector<double> weights;
  double total = 0;
  for (const Sample& s : samples) {
    const auto rows = std::max(1.0, static_cast<double>(s.target.size()));
    weights.push_back(counts_rows(metric) ? s.row_weight : 1 / rows);
    total += weights.back() * rows;
  }
  for (auto& weight : weights) weight *= static_cast<double>(samples.size()) / total;
  return weights;
}

/// Ridge regression of what the base member leaves on the differences of the other members from it, times the basis.
class RatingFit {
 public:
  RatingFit(std::span<const Sample> samples, const std::vector<double>& row_weights, int members, int base)
      : samples_(samples), row_weights_(row_weights), members_(members), base_(base) {
    for (int m = 0; m < members; ++m)
      if (m != base) others_.push_back(m);
    size_ = static_cast<int>(others_.size() + 1) * Stack::kBasis;
  }

  Stack fit(bool absolute) {
    cells_.assign(kItemCells, Vector::Zero(size_));
    const int rounds = absolute ? 12 : 1;
    for (int round = 0; round < rounds; ++round) solve(round == 0 ? false : absolute);
    return to_stack();
  }

 private:
  void row_features(const Sample& s, size_t i, Vector& x) const {
    const size_t n = s.target.size();
    const auto b = Stack::basis(s.support);
    const float base = s.score[base_ * n + i];
    for (size_t o = 0; o <= others_.size(); ++o) {
      const double difference = o < others_.size() ? s.score[others_[o] * n + i] - base : 1.0;
      for (int j = 0; j < Stack::kBasis; ++j) x[static_cast<int>(o) * Stack::kBasis + j] = difference * b[j];
    }
  }

  void solve(bool reweight) {
    constexpr double kSmallest = 0.05;  // of an absolute error, so that no row gets an unbounded weight
    std::vector<Matrix> gram(kItemCells, Matrix::Zero(size_, size_));
    std::vector<Vector> right(kItemCells, Vector::Zero(size_));
    std::vector<double> weight_sum(kItemCells, 0);
    Vector x(size_);
    for (size_t k = 0; k < samples_.size(); ++k) {
      const Sample& s = samples_[k];
      const size_t n = s.target.size();
      for (size_t i = 0; i < n; ++i) {
        row_features(s, i, x);
        const int cell = s.cell[i];
        const double y = s.target[i] - s.score[base_ * n + i];
        double weight = row_weights_[k];
        if (reweight) weight /= std::max(kSmallest, std::abs(y - x.dot(cells_[cell])));
        gram[cell].selfadjointView<Eigen::Lower>().rankUpdate(x, weight);
        right[cell] += weight * y * x;
        weight_sum[cell] += weight;
      }
    }
    Matrix all = Matrix::Zero(size_, size_);
    Vector all_right = Vector::Zero(size_);
    double total = 0;
    for (int c = 0; c < kItemCells; ++c) {
      gram[c].triangularView<Eigen::StrictlyUpper>() = gram[c].transpose();
      all += gram[c];
      all_right += right[c];
      total += weight_sum[c];
    }
    if (total == 0) return;
    // The ridge is in the scale of the features: their mean square times the pseudo-count.
    const Vector scale = (all.diagonal() / total).cwiseMax(1e-6);
    const Matrix shared_system = all + Matrix((kSharedTasks * scale).asDiagonal());
    const Vector shared = shared_system.ldlt().solve(all_right);
    for (int c = 0; c < kItemCells; ++c) {
      const Vector ridge = kCellTasks * scale;
      const Matrix system = gram[c] + Matrix(ridge.asDiagonal());
      cells_[c] = system.ldlt().solve(right[c] + ridge.cwiseProduct(shared));
    }
  }

  Stack to_stack() const {
    Stack stack;
    for (int m = 0; m < members_; ++m) stack.members.push_back(m);
    stack.coefficient.assign(static_cast<size_t>(kItemCells) * (members_ + 1) * Stack::kBasis, 0);
    for (int c = 0; c < kItemCells; ++c) {
      const auto at = [&](int m, int j) -> float& {
        return stack.coefficient[(c * (members_ + 1) + m) * Stack::kBasis + j];
      };
      at(base_, 0) = 1;
      for (size_t o = 0; o <= others_.size(); ++o)
        for (int j = 0; j < Stack::kBasis; ++j) {
          const auto value = static_cast<float>(cells_[c][static_cast<int>(o) * Stack::kBasis + j]);
          if (o == others_.size()) {
            at(members_, j) = value;
          } else {
            at(others_[o], j) += value;
            at(base_, j) -= value;
          }
        }
    }
    return stack;
  }

  std::span<const Sample> samples_;
  const std::vector<double>& row_weights_;
  int members_, base_, size_ = 0;
  std::vector<int> others_;
  std::vector<Vector> cells_;
};

/// The factor exp(c . basis) per cell that makes the stated variance fit the squared errors: Gaussian likelihood by
/// Newton steps, held at the shared factor.
void fit_variance(std::span<const Sample> samples, Stack& stack) {
  using Small = Eigen::Matrix<double, Stack::kBasis, 1>;
  stack.log_variance.assign(kItemCells * Stack::kBasis, 0);
  std::vector<std::vector<std::pair<Small, double>>> rows(kItemCells);  // basis, error^2 / variance
  std::vector<std::vector<double>> weights(kItemCells);
  std::vector<float> mixed;
  for (const Sample& s : samples) {
    mixed.resize(s.target.size());
    mix(stack, s, mixed);
    const auto b = Stack::basis(s.support);
    for (size_t i = 0; i < s.target.size(); ++i) {
      const double error = s.target[i] - mixed[i], variance = s.variance.empty() ? 1 : std::max(1e-9F, s.variance[i]);
      rows[s.cell[i]].push_back({Small(b[0], b[1], b[2]), error * error / variance});
      weights[s.cell[i]].push_back(1.0 / static_cast<double>(s.target.size()));
    }
  }
  const auto newton = [&](const std::vector<int>& cells, const Small& start, double pseudo_tasks) {
    Small c = start;
    for (int step = 0; step < 20; ++step) {
      Small gradient = pseudo_tasks * (c - start);
      Eigen::Matrix<double, Stack::kBasis, Stack::kBasis> hessian =
          Eigen::Matrix<double, Stack::kBasis, Stack::kBasis>::Identity() * std::max(pseudo_tasks, 1e-3);
      for (const int cell : cells)
        for (size_t i = 0; i < rows[cell].size(); ++i) {
          const auto& [b, ratio] = rows[cell][i];
          const double q = ratio * std::exp(-b.dot(c));
          gradient += 0.5 * weights[cell][i] * (1 - q) * b;
          hessian += 0.5 * weights[cell][i] * std::max(q, 0.1) * b * b.transpose();
        }
      const Small move = hessian.ldlt().solve(gradient);
      c -= move * std::min(1.0, 2.0 / std::max(1e-9, move.norm()));
      if (move.norm() < 1e-8) break;
    }
    return c;
  };
  double mean = 0, total = 0;
  for (int cell = 0; cell < kItemCells; ++cell)
    for (size_t i = 0; i < rows[cell].size(); ++i) {
      mean += weights[cell][i] * rows[cell][i].second;
      total += weights[cell][i];
    }
  if (total == 0) return;
  const Small shared = newton({0, 1, 2, 3, 4}, Small(std::log(std::max(1e-6, mean / total)), 0, 0), 1);
  for (int cell = 0; cell < kItemCells; ++cell) {
    const Small c = newton({cell}, shared, kCellTasks / 4);
    for (int j = 0; j < Stack::kBasis; ++j) stack.log_variance[cell * Stack::kBasis + j] = static_cast<float>(c[j]);
  }
}

}  // namespace

void mix(const Stack& stack, const Sample& sample, std::span<float> out) {
  const size_t n = sample.cell.size(), members = stack.members.size(), width = members + 1;
  std::vector<double> w(kItemCells * width);
  for (int c = 0; c < kItemCells; ++c) stack.weights(sample.support, c, std::span(w).subspan(c * width, width));
  for (size_t i = 0; i < n; ++i) {
    const double* row = w.data() + sample.cell[i] * width;
    double sum = row[members];
    for (size_t m = 0; m < members; ++m) sum += row[m] * sample.score[stack.members[m] * n + i];
    out[i] = static_cast<float>(sum);
  }
}

Stack fit_rating_stack(std::span<const Sample> samples, int members, int learner, const Metric& metric) {
  const auto weights = row_weights(samples, metric);
  Stack stack = RatingFit(samples, weights, members, std::max(0, learner)).fit(metric.kind == Metric::Kind::kMae);
  fit_variance(samples, stack);
  return stack;
}

}  // namespace fewshop
