#pragma once

#include <algorithm>
#include <cmath>

#include "runtime/predictive.h"

namespace fewshop {

/// What targets of rows are for a learner: numbers are centred and scaled, counts and shares keep their unit and start
/// from an offset on the link instead.
struct TargetScale {
  double center = 0, deviation = 1;  // gaussian: target = center + deviation * learnt value
  float offset = 0;                  // others: the link of the mean of all training targets

  float learnt(float target) const { return static_cast<float>((target - center) / deviation); }
  void restore(Predictive& p) const {
    if (p.family != Family::kGaussian) return;
    p.mean = center + deviation * p.mean;
    p.variance *= deviation * deviation;
  }
  /// A difference of links in the target's unit.
  double restore_difference(double link) const { return deviation * link; }
};

/// From the mean and variance of training targets.
inline TargetScale target_scale(Family family, double mean, double variance) {
  constexpr double kLeast = 1e-6;
  TargetScale scale;
  if (family == Family::kGaussian) {
    scale.center = mean;
    scale.deviation = std::sqrt(std::max(variance, kLeast * kLeast));
  } else if (family == Family::kBernoulli) {
    const double p = std::clamp(mean, kLeast, 1 - kLeast);
    scale.offset = static_cast<float>(std::log(p / (1 - p)));
  } else if (family == Family::kPoisson || family == Family::kNegativeBinomial) {
    scale.offset = static_cast<float>(std::log(std::max(mean, kLeast)));
  }
  return scale;
}

}  // namespace fewshop
