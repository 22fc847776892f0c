#include "learner/lwa.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "core/error.h"

namespace fewshop::learning {

Lwa::Lwa(const LwaOptions& options, const nlohmann::json& encoder, const EpisodicProblem& problem, const Random& random)
    : NetworkModel(encoder, problem, options.d, random, output_scale(problem)),
      aggregates_(problem.family, problem.classes, problem.target_variance, "lwa") {
  require(options.map == "matrix" || options.map == "scalar", "learner.map: expected matrix or scalar, got '",
          options.map, "'");
  const at::ScalarType type = problem.type;
  const int64_t maps = likelihood().outputs() > 1 ? 2 : aggregates_.size();
  // To begin with, rows like those of a high class score high: maps rise from -1 to 1 with the class (gaussian: only
  // what is above or below the mean counts).
  maps_ = at::linspace(-1, 1, maps, type);
  if (problem.family == Family::kGaussian) maps_ = at::arange(maps, type);
  if (options.map == "matrix") maps_ = maps_.view({maps, 1, 1}) * at::eye(options.d, type);
  maps_ = maps_.contiguous().requires_grad_();
  common_ = at::zeros({options.d}, type).requires_grad_();
  bias_ = at::zeros({likelihood().outputs()}, type).requires_grad_();
  log_shrink_ = at::zeros({}, type).requires_grad_();
  const Tensor none = at::zeros({}, type);
  add_parameter("maps", maps_, none);
  add_parameter("common", common_);
  add_parameter("bias", bias_, none);
  add_parameter("log_shrink", log_shrink_, none);
}

int64_t Lwa::state_size() const { return likelihood().outputs() * common_.size(0); }

Tensor Lwa::mapped(const Tensor& aggregates, int64_t map) const {
  return maps_.dim() == 1 ? maps_[map] * aggregates : at::matmul(aggregates, maps_[map].t());
}

Adapted Lwa::adapt(const Rows& support, const Task& /*task*/) const {
  const Tensor means = aggregates_(network().forward(weights(), support.x), support, log_shrink_.exp());  // [T, C, d]
  const int64_t classes = means.size(1);
  if (likelihood().outputs() == 1) {
    Tensor head = common_.expand({means.size(0), common_.size(0)});
    for (int64_t c = 0; c < classes; ++c) head = head + mapped(means.select(1, c), c);
    return {{"head", head.unsqueeze(1)}};
  }
  const Tensor others = (means.sum(1, true) - means) / static_cast<double>(classes - 1);
  return {{"head", common_ + mapped(means, 1) + mapped(others, 0)}};
}

Tensor Lwa::output(const Adapted& adapted, const Rows& rows) const {
  return bias_ + at::matmul(network().forward(weights(), rows.x), adapted.at("head").transpose(1, 2));
}

std::unique_ptr<EpisodicModel> make_lwa(const nlohmann::json& options, const nlohmann::json& encoder,
                                        const EpisodicProblem& problem, Random random) {
  LwaOptions o;
  set_fields(o, options, "learner");
  return std::make_unique<Lwa>(o, encoder, problem, random);
}

}  // namespace fewshop::learning
