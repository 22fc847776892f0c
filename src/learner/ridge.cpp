#include "learner/ridge.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <cmath>

#include "core/error.h"
#include "learner/head_form.h"
#include "nn/gram_solve.h"
#include "runtime/ridge_head.h"

namespace fewshop::learning {

Ridge::Ridge(const RidgeOptions& options, const EpisodicProblem& problem, std::unique_ptr<nn::Network> network,
             Random random)
    : options_(options),
      likelihood_(problem.family, problem.classes),
      type_(problem.type),
      embedding_(std::move(network), random.fork("encoder"), problem.type) {
  require(problem.family != Family::kScores, "learner: ridge needs targets with a likelihood, got scores");
  const bool own = problem.family == Family::kCategorical && !options.shared_classes;
  log_penalty_ = trained(at::zeros({}), type_);
  constant_ = trained(at::ones({}), type_);
  log_scale_ = trained(at::full({}, problem.family == Family::kCategorical ? std::log(4.0) : 0.0), type_);
  bias_ = trained(at::zeros({own ? 1 : likelihood_.outputs()}), type_);
  beside_ = likelihood_.initial(problem.target_variance, type_);
  for (auto& named : beside_) named.second = trained(named.second, type_);
}

std::vector<Parameter> Ridge::parameters() const {
  std::vector<Parameter> list;
  embedding_.list(list, false);
  list.push_back({"log_penalty", log_penalty_, {}});
  if (options_.constant) list.push_back({"constant", constant_, {}});
  if (likelihood_.family() != Family::kGaussian) list.push_back({"log_scale", log_scale_, {}});
  list.push_back({"bias", bias_, {}});
  for (const auto& named : beside_) list.push_back({"likelihood." + named.first, named.second, {}});
  return list;
}

std::vector<Tensor> Ridge::beside() const {
  std::vector<Tensor> values;
  for (const auto& named : beside_) values.push_back(named.second);
  return values;
}

Tensor Ridge::inputs(const nn::NetworkInput& x) const {
  const Tensor features = embedding_.features(x);
  if (!options_.constant) return features;
  return at::cat({features, constant_.to(at::kDouble).expand_as(features.narrow(-1, 0, 1))}, -1);
}

Tensor Ridge::scale() const { return log_scale_.to(at::kDouble).exp(); }

Tensor Ridge::base(const Rows& rows) const { return offsets(rows).unsqueeze(-1) + bias_.to(at::kDouble); }

Tensor Ridge::targets(const Rows& support) const {
  const Tensor y = support.target.to(at::kDouble);
  switch (likelihood_.family()) {
    case Family::kGaussian:
      return y.unsqueeze(-1) - base(support);
    case Family::kCategorical:
      return 2 * at::one_hot(support.target.to(at::kLong), likelihood_.classes()).to(at::kDouble) - 1;
    case Family::kOrdinal:
      return (y - 0.5 * static_cast<double>(likelihood_.classes() - 1)).unsqueeze(-1);
    case Family::kPoisson:
    case Family::kNegativeBinomial:
      return y.log1p().unsqueeze(-1) - base(support);
    default:
      return (2 * y - 1).unsqueeze(-1);
  }
}

Adapted Ridge::adapt(const Rows& support, const Task& /*task*/) const {
  const Tensor root = (importance(support).sqrt().unsqueeze(-1)) * (-0.5 * log_penalty_.to(at::kDouble)).exp();
  const Tensor rows = root * inputs(support.x), targets = root * this->targets(support);
  return {{"weights", nn::ridge_solve(rows, targets)}, {"rows", rows}, {"targets", targets}};
}

Distribution Ridge::predict(const Adapted& adapted, const Rows& query) const {
  const Tensor output = base(query) + scale() * at::matmul(inputs(query.x), adapted.at("weights"));
  return likelihood_.distribution(output.to(type_), beside());
}

Explains::Explanation Ridge::explain(const Adapted& adapted, const Rows& query) const {
  const Tensor z = inputs(query.x), prior = base(query).expand({-1, -1, likelihood_.outputs()});
  // How each row moves an output: z_q (Z^T Z + I)^-1 z_s y_s, rows and targets scaled as above.
  const Tensor kernel = at::matmul(nn::gram_solve(adapted.at("rows"), z.transpose(1, 2)).transpose(1, 2),
                                   adapted.at("rows").transpose(1, 2));                         // [T, Q, S]
  const Tensor evidence = scale() * kernel.unsqueeze(-1) * adapted.at("targets").unsqueeze(1);  // [T, Q, S, O]
  const Tensor chosen = (prior + evidence.sum(2)).argmax(-1, true);                             // [T, Q, 1]
  const Tensor of_rows = chosen.unsqueeze(2).expand({-1, -1, evidence.size(2), 1});
  return {prior.gather(2, chosen).squeeze(-1).to(type_), evidence.gather(3, of_rows).squeeze(-1).to(type_)};
}

std::unique_ptr<TaskHead> Ridge::task_head() const {
  RidgeHead::Arrays a;
  a.link = head_link(likelihood_, beside());
  a.size = static_cast<int32_t>(embedding_.size());
  a.constant = options_.constant ? static_cast<float>(number(constant_)) : 0;
  a.penalty = std::exp(number(log_penalty_));
  a.scale = number(scale());
  a.bias = doubles(bias_.expand({likelihood_.outputs()}));
  return std::make_unique<RidgeHead>(std::move(a));
}

std::unique_ptr<EpisodicModel> make_ridge(const nlohmann::json& options, const nlohmann::json& encoder,
                                          const EpisodicProblem& problem, Random random) {
  RidgeOptions own;
  set_fields(own, options, "learner");
  return std::make_unique<Ridge>(own, problem, nn::make_network(encoder, problem.fields, 1), random);
}

}  // namespace fewshop::learning
