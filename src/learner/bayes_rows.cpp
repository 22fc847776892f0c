#include "learner/bayes_rows.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <cmath>

#include "core/error.h"
#include "learner/head_form.h"
#include "runtime/bayes_head.h"

namespace fewshop::learning {

namespace {

bool own_classes(const BayesRowsOptions& options, const EpisodicProblem& problem) {
  return problem.family == Family::kCategorical && !options.shared_classes;
}

/// Fields that the prior may depend on: it cannot tell a task's own classes apart.
std::vector<nn::Field> described_by(const BayesRowsOptions& options, const EpisodicProblem& problem) {
  return own_classes(options, problem) ? std::vector<nn::Field>{} : problem.description;
}

}  // namespace

int64_t bayes_rows_outputs(const BayesRowsOptions& options, const EpisodicProblem& problem) {
  return problem.family == Family::kCategorical && !own_classes(options, problem) ? problem.classes : 1;
}

BayesRows::BayesRows(const BayesRowsOptions& options, const EpisodicProblem& problem,
                     std::unique_ptr<nn::Network> network, Random random)
    : options_(options),
      likelihood_(problem.family, problem.classes),
      type_(problem.type),
      embedding_(std::move(network), random.fork("encoder"), problem.type),
      description_(described_by(options, problem), likelihood_.outputs() * head_size(), problem.type) {
  require(problem.family != Family::kScores, "learner: bayes on rows needs targets with a likelihood, got scores");
  embedding_.clear_head();
  // Features of size 1 together make a link value of about the targets' own spread.
  const double spread = problem.family == Family::kGaussian ? std::sqrt(0.5 * problem.target_variance) : 1;
  Tensor start = at::full({head_size()}, spread / std::sqrt(static_cast<double>(embedding_.size())), at::kDouble);
  start[head_size() - 1] = spread;
  factor_ = trained(at::diag(start), type_);
  log_spread_ = trained(at::zeros({}), type_);
  beside_ = likelihood_.initial(problem.target_variance, type_);
  for (auto& named : beside_) named.second = trained(named.second, type_);
}

std::vector<Parameter> BayesRows::parameters() const {
  std::vector<Parameter> list;
  embedding_.list(list, true);
  description_.list(list, "prior.description");
  list.push_back({"prior.factor", factor_, {}});
  if (likelihood_.family() != Family::kGaussian) list.push_back({"log_spread", log_spread_, {}});
  for (const auto& named : beside_) list.push_back({"likelihood." + named.first, named.second, {}});
  return list;
}

int64_t BayesRows::state_size() const {
  const int64_t size = likelihood_.outputs() * head_size();
  return size + size * (size + 1) / 2;
}

std::vector<Tensor> BayesRows::beside() const {
  std::vector<Tensor> values;
  for (const auto& named : beside_) values.push_back(named.second.to(at::kDouble));
  return values;
}

Tensor BayesRows::whitened(const Tensor& features) const {
  return at::matmul(at::cat({features, at::ones_like(features.narrow(-1, 0, 1))}, -1), factor_.to(at::kDouble));
}

Tensor BayesRows::prior_link(const Adapted& adapted, const Rows& rows, const Tensor& features, const Tensor& z) const {
  return offsets(rows).unsqueeze(-1) + embedding_.head(features) + at::matmul(z, adapted.at("prior").transpose(1, 2));
}

Adapted BayesRows::adapt(const Rows& support, const Task& task) const {
  const Tensor features = embedding_.features(support.x), z = whitened(features);
  Adapted adapted{{"prior", description_(task).reshape({-1, likelihood_.outputs(), head_size()})}, {"z", z}};
  const Tensor base = prior_link(adapted, support, features, z);
  const LaplacePosterior posterior = laplace(
      likelihood_, beside(), {z, base, support.target.to(at::kDouble), importance(support)}, options_.newton_steps);
  adapted["mean"] = posterior.mean;
  adapted["root"] = posterior.root;
  adapted["evidence"] = posterior.evidence;
  return adapted;
}

Distribution BayesRows::predict(const Adapted& adapted, const Rows& query) const {
  const Tensor features = embedding_.features(query.x), z = whitened(features);
  LinkValues link = link_values({adapted.at("mean"), adapted.at("root"), adapted.at("evidence")}, z,
                                prior_link(adapted, query, features, z));
  if (likelihood_.family() != Family::kGaussian) link.covariance = link.covariance * log_spread_.to(at::kDouble).exp();
  Distribution distribution = link_mixture(likelihood_, beside(), link);
  for (auto& named : distribution.parameters) named.second = named.second.to(type_);
  return distribution;
}

Explains::Explanation BayesRows::explain(const Adapted& adapted, const Rows& query) const {
  const Tensor features = embedding_.features(query.x), z = whitened(features);
  const Tensor prior = prior_link(adapted, query, features, z);  // [T, Q, O]
  const Tensor evidence = link_evidence({adapted.at("mean"), adapted.at("root"), adapted.at("evidence")}, z,
                                        adapted.at("z"));  // [T, Q, O, S]
  const Tensor chosen = (prior + evidence.sum(-1)).argmax(-1, true);
  const Tensor of_rows = chosen.unsqueeze(-1).expand({-1, -1, 1, evidence.size(3)});
  return {prior.gather(2, chosen).squeeze(-1).to(type_), evidence.gather(2, of_rows).squeeze(2).to(type_)};
}

std::unique_ptr<TaskHead> BayesRows::task_head() const {
  BayesHead::Arrays a;
  a.link = head_link(likelihood_, beside());
  a.size = static_cast<int32_t>(embedding_.size());
  a.steps = options_.newton_steps;
  a.spread = std::exp(number(log_spread_));
  const auto& values = embedding_.values();  // the last two are the last linear layer's
  a.mean = floats(values[values.size() - 2].expand({likelihood_.outputs(), embedding_.size()}));
  a.bias = floats(values.back().expand({likelihood_.outputs()}));
  a.factor = floats(factor_);
  a.description_inputs = description_.first_inputs();
  a.description_weight = floats(description_.weight());
  return std::make_unique<BayesHead>(std::move(a));
}

std::unique_ptr<EpisodicModel> make_bayes_rows(const nlohmann::json& options, const nlohmann::json& encoder,
                                               const EpisodicProblem& problem, Random random) {
  BayesRowsOptions own;
  set_fields(own, options, "learner");
  return std::make_unique<BayesRows>(
      own, problem, nn::make_network(encoder, problem.fields, bayes_rows_outputs(own, problem)), random);
}

}  // namespace fewshop::learning
