#pragma once

#include <span>

#include "learner/likelihood.h"

namespace fewshop::learning {

// Axes: T tasks, S support rows, Q query rows, H weights of one output, O outputs (linked by the likelihood).

/// A task's linear head under a Gaussian prior and any likelihood: link value of output o of a row
///
///   eta_o = base_o + z . u_o,    u ~ N(0, I)
///
/// Everything in double.
struct LinkRows {
  Tensor z;           // [T, S, H] whitened features
  Tensor base;        // [T, S, O] link value before any example
  Tensor target;      // [T, S]
  Tensor importance;  // [T, S] weight of the row's log-likelihood, 0 = padding
};

/// How the log-likelihood of rows bends at link values [T, S, O].
struct LinkCurvature {
  Tensor gradient;  // [T, S, O]: d log p / d eta
  Tensor root;      // [T, S, O, O]: root root^T = - d^2 log p / d eta^2, smooth in everything
};
LinkCurvature link_curvature(const Likelihood& likelihood, std::span<const Tensor> beside, const Tensor& eta,
                             const Tensor& target);

/// The normal distribution around the mode of the posterior (Laplace): covariance (I + V^T V)^-1.
struct LaplacePosterior {
  Tensor mean;      // [T, O, H]
  Tensor root;      // V [T, S O, O H]: row (s, a), column (o, h) = root_s[o, a] z_s[h], with the root of the importance
  Tensor evidence;  // [T, S, O] e of the last step: mean = (I + V^T V)^-1 sum over s of z_s e_s
};

/// A fixed number of Newton steps from the prior mean, each a weighted least squares in closed form; differentiable in
/// everything, steps included. Gaussian targets take one step and are exact. All steps but the last are shortened so
/// that no link value moves by more than 2: counts would overshoot.
///
/// Rasmussen, Williams. "Gaussian Processes for Machine Learning." 2006, sections 3.4 and 3.5.
LaplacePosterior laplace(const Likelihood& likelihood, std::span<const Tensor> beside, const LinkRows& rows, int steps);

/// Mean [T, Q, O] and covariance [T, Q, O, O] of the link values of query rows z [T, Q, H], base [T, Q, O].
struct LinkValues {
  Tensor mean, covariance;
};
LinkValues link_values(const LaplacePosterior& posterior, const Tensor& z, const Tensor& base);

/// How each support row moves a query row's link value: [T, Q, O, S], from z of query [T, Q, H] and support [T, S, H].
Tensor link_evidence(const LaplacePosterior& posterior, const Tensor& z_query, const Tensor& z_support);

/// The predictive distribution of rows whose link values are normal.
///
///   gaussian            exact
///   bernoulli, ordinal  Gauss-Hermite integral of the probabilities
///   categorical         probit-like, pair by pair: p_c = 1 / sum over j of exp(-(m_c - m_j) / sqrt(1 + pi/8 v_cj)),
///   scaled
///                       to sum to 1, with v_cj the variance of the difference (Lu, Ie, Sha 2020, "mf2")
///   counts              negative-binomial of the exact mean and variance; so a Poisson likelihood gives one, too
Distribution link_mixture(const Likelihood& likelihood, std::span<const Tensor> beside, const LinkValues& link);

}  // namespace fewshop::learning
