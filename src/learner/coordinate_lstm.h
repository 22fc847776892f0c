#pragma once

#include <string>
#include <vector>

#include "core/random.h"
#include "learner/learner.h"

namespace fewshop::learning {

// Axes: n coordinates (of all tasks), H size of a layer.

/// A gradient as an LSTM can read it, two numbers for each of n coordinates: [n] -> [n, 2]
///
///   (log|g| / p, sign g)  where |g| >= e^-p,   (-1, e^p g)  elsewhere;   p = 10
///
/// Andrychowicz et al., appendix A.
Tensor preprocessed_gradient(const Tensor& gradient);

/// An update rule with one memory for every coordinate and the same weights for all: two LSTM layers over the
/// preprocessed gradient, and a step of bounded size, e^log_scale * tanh(w . h).
///
/// Andrychowicz et al. "Learning to learn by gradient descent by gradient descent." NeurIPS 2016, section 2.1; the
/// bound is ours: however long it runs, a coordinate moves by at most e^log_scale a step.
class CoordinateLstm {
 public:
  CoordinateLstm(int hidden, Random random, at::ScalarType type);

  struct State {
    Tensor hidden[2], cell[2];  // [n, H] each
    State detached() const;
  };
  State start(int64_t coordinates) const;

  /// One step: gradient [n] -> update [n]; the state moves on.
  Tensor update(const Tensor& gradient, State& state) const;

  /// Trained tensors with their names, in a fixed order.
  std::vector<std::pair<std::string, Tensor>> parameters() const;

 private:
  Tensor weight_[2];  // [4 H, inputs + H]: input, forget, candidate and output gates
  Tensor bias_[2];    // [4 H]
  Tensor out_;        // [H]
  Tensor log_scale_;  // []
};

}  // namespace fewshop::learning
