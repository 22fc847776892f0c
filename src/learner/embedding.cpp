#include "learner/embedding.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

namespace fewshop::learning {

Embedding::Embedding(std::unique_ptr<nn::Network> network, const Random& random, at::ScalarType type)
    : network_(std::move(network)), values_(nn::initial_parameters(*network_, random, type)) {
  for (size_t i = 0; i < values_.size(); ++i) values_[i].set_requires_grad(true);
}

Tensor Embedding::features(const nn::NetworkInput& x) const {
  return network_->features(values_, network_->embed(values_, x)).to(at::kDouble);
}

Tensor Embedding::head(const Tensor& features) const {
  return network_->head(values_, features.to(values_.front().scalar_type())).to(at::kDouble);
}

void Embedding::clear_head() {
  at::NoGradGuard no_grad;
  for (size_t i = 0; i < values_.size(); ++i)
    if (network_->parameters()[i].layer == nn::Layer::kHead) values_[i].zero_();
}

void Embedding::list(std::vector<Parameter>& parameters, bool with_head) const {
  const auto& infos = network_->parameters();
  for (size_t i = 0; i < infos.size(); ++i)
    if (with_head || infos[i].layer != nn::Layer::kHead)
      parameters.push_back({"network." + infos[i].name, values_[i], {}});
}

Tensor importance(const Rows& rows) { return (rows.weight * rows.mask).to(at::kDouble); }

Tensor offsets(const Rows& rows) {
  return rows.offset.defined() ? rows.offset.to(at::kDouble) : at::zeros(rows.mask.sizes(), at::kDouble);
}

Tensor trained(Tensor start, at::ScalarType type) { return start.to(type).clone().set_requires_grad(true); }

}  // namespace fewshop::learning
