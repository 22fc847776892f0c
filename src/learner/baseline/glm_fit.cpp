#include "learner/baseline/glm_fit.h"

#include <algorithm>
#include <cmath>

#include "core/parallel.h"
#include "learner/baseline/lbfgs.h"

namespace fewshop {
namespace {

constexpr int64_t kBlocks = 8;  // of rows, each with a gradient of its own: sums do not depend on the threads

/// The penalised likelihood as a function of [weights (P x C), intercepts (C)]; ordinal: instead of the intercept the
/// first threshold and the logarithms of the distances between them.
class PooledObjective {
 public:
  PooledObjective(const RowMatrix& matrix, const Glm& glm, int32_t outputs, double ridge, std::vector<float> target,
                  int threads)
      : m_(matrix), glm_(glm), outputs_(outputs), ridge_(ridge), target_(std::move(target)), threads_(threads) {
    for (const float weight : m_.weight) total_ += weight;
  }

  size_t weights() const { return static_cast<size_t>(m_.inputs.size()) * outputs_; }
  size_t parameters() const {
    return weights() + (glm_.family == Family::kOrdinal ? glm_.threshold.size() : static_cast<size_t>(outputs_));
  }

  static std::vector<double> thresholds(std::span<const double> free) {
    std::vector<double> t(free.begin(), free.end());
    for (size_t c = 1; c < t.size(); ++c) t[c] = t[c - 1] + std::exp(std::clamp(free[c], -20.0, 20.0));
    return t;
  }

  double operator()(std::span<const double> x, std::span<double> gradient) const {
    std::vector<std::vector<double>> partial(kBlocks);
    std::vector<double> loss(kBlocks, 0.0);
    Glm glm = glm_;
    if (glm.family == Family::kOrdinal) glm.threshold = thresholds(x.subspan(weights()));
    parallel_for(kBlocks, threads_, 1, [&](int64_t first, int64_t last, int) {
      for (int64_t b = first; b < last; ++b) {
        partial[b].assign(x.size(), 0.0);
        loss[b] = block(glm, x, m_.rows() * b / kBlocks, m_.rows() * (b + 1) / kBlocks, partial[b]);
      }
    });
    double value = 0;
    std::fill(gradient.begin(), gradient.end(), 0.0);
    for (int64_t b = 0; b < kBlocks; ++b) {
      value += loss[b];
      for (size_t i = 0; i < x.size(); ++i) gradient[i] += partial[b][i];
    }
    for (size_t i = 0; i < weights(); ++i) {
      value += 0.5 * ridge_ * x[i] * x[i];
      gradient[i] += ridge_ * x[i];
    }
    if (glm.family == Family::kOrdinal) chain_thresholds(x, gradient);
    for (double& g : gradient) g /= total_;
    return value / total_;
  }

 private:
  /// From the gradient in the thresholds to that in what they are made of.
  void chain_thresholds(std::span<const double> x, std::span<double> gradient) const {
    double above = 0;
    for (size_t c = x.size() - 1; c > weights(); --c) {
      above += gradient[c];
      gradient[c] = above * std::exp(std::clamp(x[c], -20.0, 20.0));
    }
    gradient[weights()] += above;
  }

  double block(const Glm& glm, std::span<const double> x, int64_t first, int64_t last,
               std::vector<double>& gradient) const {
    double loss = 0;
    std::vector<double> eta(static_cast<size_t>(outputs_));
    for (int64_t r = first; r < last; ++r) {
      for (int32_t c = 0; c < outputs_; ++c) eta[c] = glm.family == Family::kOrdinal ? 0 : x[weights() + c];
      for (int64_t e = m_.begin[r]; e < m_.begin[r + 1]; ++e) {
        const double* w = x.data() + static_cast<size_t>(m_.column[e]) * outputs_;
        for (int32_t c = 0; c < outputs_; ++c) eta[c] += m_.value[e] * w[c];
      }
      const double weight = m_.weight[r];
      if (outputs_ > 1) {
        softmax(eta, eta);
        const auto label = static_cast<size_t>(target_[r]);
        loss -= weight * std::log(std::max(1e-300, eta[label]));
        eta[label] -= 1;  // the gradient in eta
        for (double& g : eta) g *= weight;
      } else {
        loss -= weight * glm.log_likelihood(eta[0], target_[r]);
        if (glm.family == Family::kOrdinal) add_thresholds(glm, eta[0], target_[r], weight, gradient);
        eta[0] = -weight * glm.slope(eta[0], target_[r]);
      }
      for (int64_t e = m_.begin[r]; e < m_.begin[r + 1]; ++e) {
        double* g = gradient.data() + static_cast<size_t>(m_.column[e]) * outputs_;
        for (int32_t c = 0; c < outputs_; ++c) g[c] += m_.value[e] * eta[c];
      }
      if (glm.family != Family::kOrdinal)
        for (int32_t c = 0; c < outputs_; ++c) gradient[weights() + c] += eta[c];
    }
    return loss;
  }

  void add_thresholds(const Glm& glm, double eta, float target, double weight, std::vector<double>& gradient) const {
    const auto c = static_cast<size_t>(target);
    const double upper = c < glm.threshold.size() ? sigmoid(glm.threshold[c] - eta) : 1,
                 lower = c > 0 ? sigmoid(glm.threshold[c - 1] - eta) : 0, p = std::max(1e-300, upper - lower);
    if (c < glm.threshold.size()) gradient[weights() + c] -= weight * upper * (1 - upper) / p;
    if (c > 0) gradient[weights() + c - 1] += weight * lower * (1 - lower) / p;
  }

  const RowMatrix& m_;
  const Glm& glm_;
  int32_t outputs_;
  double ridge_;
  std::vector<float> target_;
  int threads_;
  double total_ = 0;
};

struct Moments {
  double mean = 0, variance = 0;
};

Moments moments(const RowMatrix& m) {
  double weight = 0, sum = 0, square = 0;
  for (int64_t r = 0; r < m.rows(); ++r) {
    weight += m.weight[r];
    sum += static_cast<double>(m.weight[r]) * m.target[r];
  }
  const double mean = sum / weight;
  for (int64_t r = 0; r < m.rows(); ++r) square += m.weight[r] * (m.target[r] - mean) * (m.target[r] - mean);
  return {mean, square / weight};
}

/// Weight of each class, half a row added so that none is impossible: [C].
std::vector<double> class_shares(const RowMatrix& m, size_t classes) {
  std::vector<double> share(classes, 0.5);
  double total = 0.5 * static_cast<double>(classes);
  for (int64_t r = 0; r < m.rows(); ++r) {
    share[static_cast<size_t>(m.target[r])] += m.weight[r];
    total += m.weight[r];
  }
  for (double& s : share) s /= total;
  return share;
}

/// What intercepts and thresholds are without inputs.
std::vector<double> first_parameters(const RowMatrix& m, Glm& glm, int32_t outputs, size_t classes, size_t weights) {
  std::vector<double> x(weights, 0.0);
  if (outputs > 1) {
    for (const double share : class_shares(m, classes)) x.push_back(std::log(share));
  } else if (glm.family == Family::kOrdinal) {
    double below = 0, previous = 0;
    const auto shares = class_shares(m, classes);
    for (size_t c = 0; c + 1 < classes; ++c) {
      below += shares[c];
      const double t = std::log(below) - std::log(std::max(1e-12, 1 - below));
      x.push_back(c == 0 ? t : std::log(std::max(1e-6, t - previous)));
      previous = t;
    }
    glm.threshold.assign(classes - 1, 0);
  } else if (glm.family == Family::kGaussian) {
    x.push_back(0);
  } else {
    const double mean = std::max(1e-6, moments(m).mean);
    x.push_back(glm.family == Family::kBernoulli ? std::log(mean) - std::log(std::max(1e-6, 1 - mean))
                                                 : std::log(mean));
  }
  return x;
}

/// Weighted mean of visit(row, eta) over all rows.
template <class Visit>
double mean_over(const RowMatrix& m, const std::vector<double>& x, Visit&& visit) {
  double sum = 0, total = 0;
  for (int64_t r = 0; r < m.rows(); ++r) {
    double eta = x.back();
    for (int64_t e = m.begin[r]; e < m.begin[r + 1]; ++e) eta += m.value[e] * x[m.column[e]];
    sum += m.weight[r] * visit(r, eta);
    total += m.weight[r];
  }
  return sum / total;
}

}  // namespace

LinearMember::Parts fit_pooled(const RowMatrix& matrix, Problem problem, size_t classes, double ridge,
                               const LinearMember::Parts* start, int threads) {
  LinearMember::Parts parts;
  parts.inputs = matrix.inputs;
  const Family family = family_of(problem);
  parts.outputs = family == Family::kCategorical ? static_cast<int32_t>(classes) : 1;
  if (parts.outputs == 1) parts.glm.family = family;
  std::vector<float> target = matrix.target;
  if (family == Family::kGaussian) {
    const Moments all = moments(matrix);
    parts.centre = all.mean;
    parts.scale = all.variance > 0 ? std::sqrt(all.variance) : 1;
    for (float& t : target) t = static_cast<float>((t - parts.centre) / parts.scale);
  }
  const size_t weights = static_cast<size_t>(matrix.inputs.size()) * parts.outputs;
  std::vector<double> x = first_parameters(matrix, parts.glm, parts.outputs, classes, weights);
  if (start)
    for (size_t i = 0; i < weights && i < start->weights.size(); ++i) x[i] = start->weights[i];
  const auto fit = [&] {
    PooledObjective objective(matrix, parts.glm, parts.outputs, ridge, target, threads);
    minimise([&](std::span<const double> at, std::span<double> gradient) { return objective(at, gradient); }, x);
  };
  fit();
  if (family == Family::kGaussian) {
    parts.glm.variance = std::max(
        1e-6, mean_over(matrix, x, [&](int64_t r, double eta) { return (target[r] - eta) * (target[r] - eta); }));
  } else if (family == Family::kPoisson) {
    const double square = mean_over(matrix, x, [&](int64_t, double eta) { return std::exp(2 * std::min(eta, 30.0)); }),
                 over = mean_over(matrix, x, [&](int64_t r, double eta) {
                   const double mu = std::exp(std::min(eta, 30.0));
                   return (target[r] - mu) * (target[r] - mu) - mu;
                 });
    if (over > 1e-6 * square) {
      parts.glm.family = Family::kNegativeBinomial;
      parts.glm.size = std::clamp(square / over, 1e-3, 1e6);
      fit();
    }
  }
  parts.weights.assign(x.begin(), x.begin() + static_cast<int64_t>(weights));
  if (family == Family::kOrdinal) {
    parts.intercept = {0};
    parts.glm.threshold = PooledObjective::thresholds(std::span(x).subspan(weights));
  } else {
    parts.intercept.assign(x.begin() + static_cast<int64_t>(weights), x.end());
  }
  return parts;
}

double mean_kernel(const RowMatrix& m, double ridge, double intercept_ridge) {
  double sum = 0;
  for (int64_t r = 0; r < m.rows(); ++r)
    for (int64_t e = m.begin[r]; e < m.begin[r + 1]; ++e)
      if (m.column[e] < m.inputs.own_size()) sum += static_cast<double>(m.value[e]) * m.value[e];
  return 1 / intercept_ridge + sum / static_cast<double>(m.rows()) / ridge;
}

}  // namespace fewshop
