#include "learner/class_aggregates.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <cmath>

#include "core/error.h"

namespace fewshop::learning {

ClassAggregates::ClassAggregates(Family f, int64_t number_of_classes, double target_variance, const char* learner)
    : family(f), classes(number_of_classes), deviation(std::sqrt(target_variance)) {
  require(family != Family::kPoisson && family != Family::kNegativeBinomial, "learner: ", learner,
          " is built from the classes of the support, and counts have none; it takes binary, multiclass and ordinal "
          "problems, ratings and ranks");
}

int64_t ClassAggregates::size() const {
  return family == Family::kCategorical || family == Family::kOrdinal ? classes : 2;
}

Tensor ClassAggregates::operator()(const Tensor& embeddings, const Rows& support, const Tensor& shrink) const {
  Tensor member, share;  // [T, S, C]
  if (family == Family::kGaussian) {
    const Tensor residual = (support.offset.defined() ? support.target - support.offset : support.target) / deviation;
    member = at::stack({at::ones_like(residual), residual}, 2);
    share = at::ones_like(member);
  } else if (size() == 2 && family != Family::kOrdinal && family != Family::kCategorical) {
    member = share = at::stack({1 - support.target, support.target}, 2);
  } else {
    member = share =
        support.target.unsqueeze(2).eq(at::arange(size(), support.target.options())).to(support.target.scalar_type());
  }
  const Tensor importance = (support.mask * support.weight).unsqueeze(2);
  const Tensor sums = at::matmul((importance * member).transpose(1, 2), embeddings);  // [T, C, E]
  const Tensor counts = (importance * share).sum(1).unsqueeze(2);                     // [T, C, 1]
  return sums / (shrink + counts).clamp_min(1e-6);
}

}  // namespace fewshop::learning
