#include "learner/protonet.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <cmath>

#include "core/error.h"
#include "learner/head_form.h"
#include "runtime/prototype_head.h"

namespace fewshop::learning {
namespace {

int64_t class_count(const EpisodicProblem& problem) {
  require(problem.family == Family::kBernoulli || problem.family == Family::kCategorical,
          "learner: protonet needs classes (problems binary and multiclass), got targets of family ",
          family_name(problem.family), "; ridge and bayes take them");
  return problem.family == Family::kBernoulli ? 2 : problem.classes;
}

/// |a - b|^2 for all pairs: [T, Q, D] and [T, C, D] or [C, D]  ->  [T, Q, C].
Tensor squared_distances(const Tensor& a, const Tensor& b) {
  return a.square().sum(-1, true) - 2 * at::matmul(a, b.transpose(-2, -1)) + b.square().sum(-1).unsqueeze(-2);
}

}  // namespace

Protonet::Protonet(const ProtonetOptions& options, const EpisodicProblem& problem, std::unique_ptr<nn::Network> network,
                   Random random)
    : options_(options),
      family_(problem.family),
      classes_(class_count(problem)),
      type_(problem.type),
      embedding_(std::move(network), random.fork("encoder"), problem.type) {
  const int64_t own = options.shared_classes ? classes_ : 1, d = embedding_.size();
  constexpr double kDeviation = 0.1;
  Tensor start = at::empty({own, d}, at::kDouble);
  Random draws = random.fork("prototypes");
  for (int64_t i = 0; i < start.numel(); ++i) start.data_ptr<double>()[i] = kDeviation * draws.normal();
  prototypes_ = trained(start, type_);
  log_strength_ = trained(at::zeros({}), type_);
  log_scale_ = trained(at::full({}, -0.5 * std::log(static_cast<double>(d))), type_);
  log_counts_ = trained(at::zeros({own}), type_);
  frequency_ = trained(at::ones({}), type_);
}

std::vector<Parameter> Protonet::parameters() const {
  std::vector<Parameter> list;
  embedding_.list(list, false);
  list.push_back({"prior.prototypes", prototypes_, {}});
  list.push_back({"prior.log_strength", log_strength_, {}});
  list.push_back({"log_scale", log_scale_, {}});
  if (options_.class_prior) {
    list.push_back({"prior.log_counts", log_counts_, {}});
    list.push_back({"prior.frequency", frequency_, {}});
  }
  return list;
}

Tensor Protonet::prior_prototypes() const { return prototypes_.to(at::kDouble).expand({classes_, embedding_.size()}); }

Adapted Protonet::adapt(const Rows& support, const Task& /*task*/) const {
  const Tensor features = embedding_.features(support.x);
  const Tensor member = at::one_hot(support.target.to(at::kLong), classes_).to(at::kDouble) *
                        importance(support).unsqueeze(-1);  // [T, S, C]
  const Tensor count = member.sum(1), strength = log_strength_.to(at::kDouble).exp();
  const Tensor share = member / (strength + count).unsqueeze(1);
  const Tensor prototypes =
      (strength / (strength + count)).unsqueeze(-1) * prior_prototypes() + at::matmul(share.transpose(1, 2), features);
  Tensor prior = at::zeros_like(count);
  if (options_.class_prior) {
    const Tensor counted = count + log_counts_.to(at::kDouble).exp();
    prior = frequency_.to(at::kDouble) * (counted.log() - counted.sum(1, true).log());
  }
  return {{"prototypes", prototypes}, {"prior", prior}, {"features", features}, {"share", share}};
}

Tensor Protonet::scores(const Adapted& adapted, const Tensor& features) const {
  return adapted.at("prior").unsqueeze(1) -
         log_scale_.to(at::kDouble).exp() * squared_distances(features, adapted.at("prototypes"));
}

Distribution Protonet::predict(const Adapted& adapted, const Rows& query) const {
  const Tensor score = scores(adapted, embedding_.features(query.x));
  if (family_ == Family::kCategorical) return {family_, {{"logits", score.log_softmax(-1).to(type_)}}};
  return {family_, {{"logit", (offsets(query) + score.select(-1, 1) - score.select(-1, 0)).to(type_)}}};
}

Explains::Explanation Protonet::explain(const Adapted& adapted, const Rows& query) const {
  // With everything seen from the prior prototype m_c (phi' = phi - m_c):
  //   -|phi_q' - p_c'|^2 = -|phi_q'|^2 + sum over rows s of share_sc phi_s' . (2 phi_q' - p_c')
  const Tensor features = embedding_.features(query.x), scale = log_scale_.to(at::kDouble).exp();
  const Tensor center = prior_prototypes().unsqueeze(1);            // [C, 1, D]
  const Tensor row = adapted.at("features").unsqueeze(1) - center;  // [T, C, S, D]
  const Tensor to =
      2 * (features.unsqueeze(1) - center) - (adapted.at("prototypes").unsqueeze(2) - center);  // [T, C, Q, D]
  const Tensor share = adapted.at("share").permute({0, 2, 1}).unsqueeze(2);                     // [T, C, 1, S]
  const Tensor evidence = scale * share * at::matmul(to, row.transpose(2, 3));                  // [T, C, Q, S]
  const Tensor prior = adapted.at("prior").unsqueeze(1) - scale * squared_distances(features, prior_prototypes());
  if (family_ == Family::kBernoulli)
    return {(offsets(query) + prior.select(2, 1) - prior.select(2, 0)).to(type_),
            (evidence.select(1, 1) - evidence.select(1, 0)).to(type_)};
  const Tensor chosen = scores(adapted, features).argmax(-1);  // [T, Q]
  const Tensor of_rows = chosen.unsqueeze(1).unsqueeze(-1).expand({-1, 1, -1, evidence.size(3)});
  return {prior.gather(2, chosen.unsqueeze(-1)).squeeze(-1).to(type_),
          evidence.gather(1, of_rows).squeeze(1).to(type_)};
}

std::unique_ptr<TaskHead> Protonet::task_head() const {
  PrototypeHead::Arrays a;
  a.binary = family_ == Family::kBernoulli;
  a.classes = static_cast<int32_t>(classes_);
  a.size = static_cast<int32_t>(embedding_.size());
  a.prototypes = floats(prior_prototypes());
  a.strength = std::exp(number(log_strength_));
  a.scale = std::exp(number(log_scale_));
  a.frequency = options_.class_prior ? number(frequency_) : 0;
  a.count = doubles(log_counts_.to(at::kDouble).exp().expand({classes_}));
  return std::make_unique<PrototypeHead>(std::move(a));
}

std::unique_ptr<EpisodicModel> make_protonet(const nlohmann::json& options, const nlohmann::json& encoder,
                                             const EpisodicProblem& problem, Random random) {
  ProtonetOptions own;
  set_fields(own, options, "learner");
  return std::make_unique<Protonet>(own, problem, nn::make_network(encoder, problem.fields, 1), random);
}

}  // namespace fewshop::learning
