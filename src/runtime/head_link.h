#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "runtime/glm.h"

namespace fewshop {

class TensorFile;

/// How the outputs of a head (link values) become a distribution: a generalised linear model of one output, or the
/// softmax of C outputs.
struct HeadLink {
  Glm glm;              // family categorical: nothing else of it is used
  int32_t outputs = 1;  // categorical: C

  /// Of certain link values [outputs].
  void predict(std::span<const double> link, Predictive& out) const;

  /// Of normal ones, covariance [outputs, outputs]: gaussian exact; bernoulli and ordinal integrated by the rule of
  /// runtime/gauss_hermite.h; counts the negative binomial of the exact mean and variance; categorical pair by pair,
  ///   p_c = 1 / sum over j of exp(-(m_c - m_j) / sqrt(1 + pi/8 v_cj)), scaled to add up to 1,
  /// v_cj the variance of the difference (Lu, Ie, Sha. "Mean-field approximation to Gaussian-softmax integral." 2020).
  void predict(std::span<const double> link, std::span<const double> covariance, Predictive& out) const;

  void save(TensorFile& file, const std::string& prefix) const;
  /// Throws InvalidInput where sizes or values make no sense.
  static HeadLink load(const TensorFile& file, const std::string& prefix);
};

}  // namespace fewshop
