#pragma once

#include <array>
#include <cmath>
#include <numbers>

namespace fewshop {

/// The expectation of f under N(mean, variance) is close to the sum over k of weight[k] f(mean + sqrt(variance)
/// node[k]): exact for polynomials up to degree 2 N - 1.
template <int N>
struct GaussHermite {
  std::array<double, N> node{}, weight{};
};

/// Nodes are the roots of the orthonormal Hermite polynomial, found by Newton's method from below, each with the known
/// ones divided out.
/// Press, Teukolsky, Vetterling, Flannery. "Numerical Recipes." 3rd edition, 2007, section 4.6.
template <int N>
GaussHermite<N> make_gauss_hermite() {
  GaussHermite<N> rule;
  constexpr int kIterations = 200;
  double x = -std::sqrt(4.0 * N);  // left of all roots: Newton's method rises to the next one
  for (int k = 0; k < N; ++k) {
    double derivative = 0;
    for (int i = 0; i < kIterations; ++i) {
      // Probabilists' polynomials with norm 1: sqrt(j + 1) p_{j+1} = x p_j - sqrt(j) p_{j-1};  p_N' = sqrt(N) p_{N-1}.
      double before = 0, p = 1;
      for (int j = 0; j < N; ++j) {
        const double next = (x * p - std::sqrt(static_cast<double>(j)) * before) / std::sqrt(j + 1.0);
        before = p;
        p = next;
      }
      derivative = std::sqrt(static_cast<double>(N)) * before;
      double deflated = derivative;
      for (int j = 0; j < k; ++j) deflated -= p / (x - rule.node[j]);
      const double step = p / deflated;
      x -= step;
      if (std::abs(step) <= 1e-15 * (1 + std::abs(x))) break;
    }
    rule.node[k] = x;
    rule.weight[k] = 1 / (derivative * derivative);
    x += 1e-3;  // off the root that is divided out
  }
  double sum = 0;
  for (const double w : rule.weight) sum += w;
  for (double& w : rule.weight) w /= sum;
  return rule;
}

/// The rule that predictions integrate over a Gaussian link value with.
inline const GaussHermite<32>& link_rule() {
  static const GaussHermite<32> rule = make_gauss_hermite<32>();
  return rule;
}

}  // namespace fewshop
