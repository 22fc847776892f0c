#include "learner/gradient_model.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <cmath>

namespace fewshop::learning {

GradientModel::GradientModel(const Options& options, const nlohmann::json& encoder, const EpisodicProblem& problem,
                             const Random& random)
    : NetworkModel(encoder, problem, 0, random),
      options_(options),
      family_(problem.family),
      scale_(problem.family == Family::kGaussian && options.standardize ? std::sqrt(problem.target_variance) : 1),
      steps_(at::full({}, options.steps, problem.type).requires_grad_()) {
  add_parameter("inner_steps", steps_);
}

int GradientModel::steps() const { return static_cast<int>(std::lround(steps_.item<double>())); }

std::vector<nlohmann::json> GradientModel::candidates() const {
  std::vector<nlohmann::json> list;
  if (!options_.choose) return list;
  for (int n = options_.steps; n >= 1; --n) list.push_back({{"steps", n}});
  for (int n = options_.steps + 1; n <= options_.most_steps; ++n) list.push_back({{"steps", n}});
  return list;
}

void GradientModel::choose(const nlohmann::json& candidate) {
  at::NoGradGuard no_grad;
  steps_.fill_(candidate.at("steps").get<double>());
}

Tensor GradientModel::inner_loss(const Tensor& raw_output, const Rows& rows) const {
  if (family_ != Family::kGaussian) return row_loss(raw_output, rows);
  const Tensor target = rows.offset.defined() ? rows.target - rows.offset : rows.target;
  return (target / scale_ - raw_output.select(-1, 0)).square();
}

Tensor of_output(const Tensor& values, const Tensor& output) {
  return values.gather(-1, output.unsqueeze(-1)).squeeze(-1);
}

}  // namespace fewshop::learning
