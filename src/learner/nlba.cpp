#include "learner/nlba.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <cmath>

#include "learner/normal_tensor.h"

namespace fewshop::learning {

Nlba::Nlba(const NlbaOptions& options, const nlohmann::json& encoder, const EpisodicProblem& problem,
           const Random& random)
    : NetworkModel(encoder, problem, options.d, random, output_scale(problem)),
      aggregates_(problem.family, problem.classes, problem.target_variance, "nlba") {
  const at::ScalarType type = problem.type;
  const int64_t d = options.d, hidden = options.hidden, outputs = likelihood().outputs(),
                aggregated = aggregates_.size() * d;
  Random draw = random.fork("nlba");
  const auto weight = [&](int64_t rows, int64_t columns) {
    return normal_tensor({rows, columns}, std::sqrt(1 / static_cast<double>(columns)), draw, type).requires_grad_();
  };
  hidden_weight_ = weight(hidden, d);
  hidden_map_ = weight(hidden, aggregated);
  out_weight_ = weight(outputs, hidden);
  hidden_bias_ = at::zeros({hidden}, type).requires_grad_();
  out_bias_ = at::zeros({outputs}, type).requires_grad_();
  out_map_ = at::zeros({outputs, aggregated}, type).requires_grad_();
  log_shrink_ = at::zeros({}, type).requires_grad_();
  const Tensor none = at::zeros({}, type);
  add_parameter("hidden.weight", hidden_weight_);
  add_parameter("hidden.bias", hidden_bias_, none);
  add_parameter("hidden.map", hidden_map_);
  add_parameter("out.weight", out_weight_);
  add_parameter("out.bias", out_bias_, none);
  add_parameter("out.map", out_map_);
  add_parameter("log_shrink", log_shrink_, none);
}

Adapted Nlba::adapt(const Rows& support, const Task& /*task*/) const {
  const Tensor means = aggregates_(network().forward(weights(), support.x), support, log_shrink_.exp()).flatten(1);
  return {{"hidden", hidden_bias_ + at::matmul(means, hidden_map_.t())},
          {"out", out_bias_ + at::matmul(means, out_map_.t())}};
}

Tensor Nlba::output(const Adapted& adapted, const Rows& rows) const {
  const Tensor embedding = network().forward(weights(), rows.x);  // [T, S, d]
  const Tensor hidden =
      at::silu(at::matmul(embedding, hidden_weight_.t()) + adapted.at("hidden").unsqueeze(1));  // [T, S, H]
  return at::matmul(hidden, out_weight_.t()) + adapted.at("out").unsqueeze(1);
}

std::unique_ptr<EpisodicModel> make_nlba(const nlohmann::json& options, const nlohmann::json& encoder,
                                         const EpisodicProblem& problem, Random random) {
  NlbaOptions o;
  set_fields(o, options, "learner");
  return std::make_unique<Nlba>(o, encoder, problem, random);
}

}  // namespace fewshop::learning
