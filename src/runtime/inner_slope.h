#pragma once

#include <span>

#include "runtime/head_link.h"

namespace fewshop {

/// d loss / d output of one row in the inner loop of learner/gradient_model.h: output [O] in units of scale -> slope
/// [O]. Gaussian: the squared error in those units; scores the logistic loss of interest
/// (target 1 or 0); else -log p of the link value offset + output.
inline void inner_slope(const HeadLink& link, double scale, std::span<const double> output, double target,
                        double offset, std::span<double> slope) {
  if (link.glm.family == Family::kGaussian) {
    slope[0] = 2 * (output[0] - (target - offset) / scale);
  } else if (link.glm.family == Family::kCategorical) {
    softmax(output, slope);
    const auto label = static_cast<size_t>(target);
    if (label < slope.size()) slope[label] -= 1;
  } else if (link.glm.family == Family::kScores) {
    slope[0] = sigmoid(offset + output[0]) - target;
  } else {
    slope[0] = -link.glm.slope(offset + output[0], target);
  }
}

}  // namespace fewshop
