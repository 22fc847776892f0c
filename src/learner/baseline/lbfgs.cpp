#include "learner/baseline/lbfgs.h"

#include <algorithm>
#include <cmath>
#include <deque>

#include "core/cancel.h"

namespace fewshop {
namespace {

double dot(std::span<const double> a, std::span<const double> b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

/// A step of x and what it did to the gradient.
struct Pair {
  std::vector<double> s, y;
  double rho;
};

/// Minus the inverse Hessian, as the pairs have it, times the gradient.
std::vector<double> direction_of(const std::deque<Pair>& pairs, const std::vector<double>& gradient) {
  std::vector<double> q = gradient, alpha(pairs.size());
  for (size_t i = pairs.size(); i-- > 0;) {
    alpha[i] = pairs[i].rho * dot(pairs[i].s, q);
    for (size_t j = 0; j < q.size(); ++j) q[j] -= alpha[i] * pairs[i].y[j];
  }
  const double scale = pairs.empty() ? 1 / std::max(1.0, std::sqrt(dot(gradient, gradient)))
                                     : dot(pairs.back().s, pairs.back().y) / dot(pairs.back().y, pairs.back().y);
  for (double& value : q) value *= scale;
  for (size_t i = 0; i < pairs.size(); ++i) {
    const double beta = pairs[i].rho * dot(pairs[i].y, q);
    for (size_t j = 0; j < q.size(); ++j) q[j] += (alpha[i] - beta) * pairs[i].s[j];
  }
  for (double& value : q) value = -value;
  return q;
}

}  // namespace

double minimise(const SmoothFunction& function, std::vector<double>& x, const LbfgsOptions& options) {
  std::deque<Pair> pairs;
  std::vector<double> gradient(x.size()), next(x.size()), next_gradient(x.size());
  double value = function(x, gradient);
  for (int step = 0; step < options.steps; ++step) {
    check_cancelled();
    double largest = 0;
    for (const double g : gradient) largest = std::max(largest, std::abs(g));
    if (!(largest > options.tolerance * (1 + std::abs(value)))) break;
    std::vector<double> direction = direction_of(pairs, gradient);
    double slope = dot(gradient, direction);
    if (!(slope < 0)) {  // rounding has made the pairs useless
      pairs.clear();
      direction = direction_of(pairs, gradient);
      slope = dot(gradient, direction);
    }
    double length = 1, next_value = INFINITY;
    for (int halving = 0; halving < 40; ++halving, length /= 2) {
      for (size_t i = 0; i < x.size(); ++i) next[i] = x[i] + length * direction[i];
      next_value = function(next, next_gradient);
      if (next_value <= value + 1e-4 * length * slope) break;
    }
    if (!(next_value < value)) break;
    Pair pair{std::vector<double>(x.size()), std::vector<double>(x.size()), 0};
    for (size_t i = 0; i < x.size(); ++i) {
      pair.s[i] = next[i] - x[i];
      pair.y[i] = next_gradient[i] - gradient[i];
    }
    const double curvature = dot(pair.s, pair.y);
    if (curvature > 1e-12 * std::sqrt(dot(pair.s, pair.s) * dot(pair.y, pair.y))) {
      pair.rho = 1 / curvature;
      pairs.push_back(std::move(pair));
      if (pairs.size() > static_cast<size_t>(options.memory)) pairs.pop_front();
    }
    x.swap(next);
    gradient.swap(next_gradient);
    value = next_value;
  }
  return value;
}

}  // namespace fewshop
