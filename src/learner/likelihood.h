#pragma once

#include <ATen/core/Tensor.h>

#include "learner/learner.h"

namespace fewshop::learning {

/// How the outputs of a network become a predictive distribution, and what is trained beside the network for it.
///
///   family             outputs O    beside the network ("likelihood.*")
///   gaussian           1            log_noise []
///   scores             1            -
///   bernoulli          1            -
///   categorical        C            -
///   ordinal            1            cut_start [], cut_log_steps [C - 2]: rising thresholds (cumulative logits)
///   poisson            1            - (the output is the log rate)
///   negative-binomial  1            log_dispersion []
class Likelihood {
 public:
  /// `classes` counts only for categorical and ordinal.
  Likelihood(Family family, int64_t classes);

  Family family() const { return family_; }
  int64_t outputs() const { return family_ == Family::kCategorical ? classes_ : 1; }
  int64_t classes() const { return classes_; }

  /// Starting values of what is trained beside the network, in a fixed order; none for several families.
  std::vector<std::pair<std::string, Tensor>> initial(double target_variance, at::ScalarType type) const;

  /// output [T, Q, O] and the tensors of initial() -> the distribution of each row.
  Distribution distribution(const Tensor& output, std::span<const Tensor> beside) const;

  /// -log p(target) of each row [T, Q]. Smooth in the output, finite for any finite one. Scores: the logistic loss of
  /// targets 1 and 0.
  Tensor loss(const Tensor& output, const Tensor& target, std::span<const Tensor> beside) const;

 private:
  Family family_;
  int64_t classes_;
};

/// Mean over tasks of the weighted mean over rows: loss [T, Q], mask and weight [T, Q]; tasks without rows count as 0.
Tensor mean_loss(const Tensor& loss, const Tensor& mask, const Tensor& weight);

}  // namespace fewshop::learning
