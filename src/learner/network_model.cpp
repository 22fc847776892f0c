#include "learner/network_model.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <cmath>

namespace fewshop::learning {

NetworkModel::NetworkModel(const nlohmann::json& encoder, const EpisodicProblem& problem, int64_t outputs,
                           const Random& random, double scale)
    : scale_(scale), likelihood_(problem.family, problem.classes) {
  network_ = nn::make_network(encoder, problem.fields, outputs > 0 ? outputs : likelihood_.outputs());
  weights_ = nn::initial_parameters(*network_, random.fork("network"), problem.type);
  for (auto& weight : weights_) weight.requires_grad_();
  for (auto& named : likelihood_.initial(problem.target_variance, problem.type))
    beside_.push_back(named.second.requires_grad_());
}

std::vector<Parameter> NetworkModel::parameters() const {
  std::vector<Parameter> all;
  for (size_t i = 0; i < weights_.size(); ++i)
    all.push_back({"network." + network_->parameters()[i].name, weights_[i], {}});
  const auto names = likelihood_.initial(1, at::kFloat);
  for (size_t i = 0; i < beside_.size(); ++i) all.push_back({"likelihood." + names[i].first, beside_[i], {}});
  all.insert(all.end(), own_.begin(), own_.end());
  return all;
}

void NetworkModel::add_parameter(std::string name, Tensor value, Tensor decay) {
  own_.push_back({std::move(name), std::move(value), std::move(decay)});
}

Tensor NetworkModel::link(const Tensor& output, const Rows& rows) const {
  const Tensor scaled = scale_ == 1 ? output : output * scale_;
  return rows.offset.defined() ? scaled + rows.offset.unsqueeze(-1) : scaled;
}

Distribution NetworkModel::predict(const Adapted& adapted, const Rows& query) const {
  return likelihood_.distribution(link(output(adapted, query), query), beside_);
}

Tensor NetworkModel::row_loss(const Tensor& output, const Rows& rows) const {
  return likelihood_.loss(link(output, rows), rows.target, beside_);
}

Tensor NetworkModel::task_loss(const Tensor& output, const Rows& rows) const {
  const Tensor importance = rows.mask * rows.weight;
  return (row_loss(output, rows) * importance).sum(1) / importance.sum(1).clamp_min(1e-6);
}

double output_scale(const EpisodicProblem& problem) {
  return problem.family == Family::kGaussian ? std::sqrt(problem.target_variance) : 1;
}

int64_t task_count(const Rows& rows) { return rows.mask.size(0); }

}  // namespace fewshop::learning
