#pragma once

#include <span>
#include <vector>

namespace fewshop {

/// The posterior of one task's softmax head with C outputs under independent N(0, I) priors, by a fixed number of
/// Newton steps (Laplace):
///
///   eta_sc = base_sc + z_s . u_c,   P(class of row s = c) = softmax(eta_s)_c
///
/// Outputs are coupled, so one system holds all of them: in the S C rows or the C H weights, whichever are fewer. The
/// torch form is learning::laplace, with the same steps: link values move by at most 2 in all but the last.
/// Rasmussen, Williams. "Gaussian Processes for Machine Learning." 2006, section 3.5.
///
/// Life cycle: solve(), then the others. One object belongs to one thread; it allocates only when a size exceeds all
/// earlier ones.
class SoftmaxPosterior {
 public:
  /// z [S, H], base [S, C], label [S] in [0, C), weight [S] (0 = the row is absent).
  void solve(std::span<const double> z, std::span<const double> base, std::span<const int> label,
             std::span<const float> weight, int size, int classes, int steps);

  /// Posterior mean [C, H].
  std::span<const double> weights() const { return weights_; }
  /// Covariance of z . u_c over c: [C, C].
  void covariance(std::span<const double> z, std::span<double> out) const;
  /// How each row moves z . E[u_c]: they add up to it. [S]
  void evidence(std::span<const double> z, int output, std::span<double> out) const;

 private:
  void curve(std::span<const double> base, std::span<const int> label, std::span<const float> weight);
  void factor();
  void step();
  void inverse_times(double* x) const;  // x [C, H] in place: (I + V^T V)^-1 x

  int rows_ = 0, size_ = 0, classes_ = 0;  // S, H, C
  bool dual_ = true;
  std::vector<double> z_, kernel_;             // [S, H], [S, S] z_s . z_t
  std::vector<double> root_, bend_;            // [S, C, C] R, with R R^T the negative Hessian of a row; it itself
  std::vector<double> gradient_;               // [S, C]
  std::vector<double> evidence_;               // [S, C] the right-hand side of the last step
  std::vector<double> moved_, next_;           // [S, C] z . u before and after a step
  std::vector<double> weights_;                // [C, H]
  std::vector<double> system_;                 // upper Cholesky factor [N, N], N = S C or C H
  std::vector<double> probability_;            // [C]
  mutable std::vector<double> small_, large_;  // [S C], [C, C H]
};

}  // namespace fewshop
