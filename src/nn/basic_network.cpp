#include "nn/basic_network.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace fewshop::nn {

FieldInputs BasicNetwork::read(std::span<const at::Tensor> p, const NetworkInput& input) const {
  require(p.size() == parameters_.size(), "network: expected ", parameters_.size(), " parameters, got ", p.size());
  FieldInputs inputs(fields_, input);
  for (size_t i = 0; i < p.size(); ++i) {
    const auto& shape = parameters_[i].shape;
    const bool per_task = p[i].dim() == static_cast<int64_t>(shape.size()) + 1;
    const at::IntArrayRef sizes = per_task ? p[i].sizes().slice(1) : p[i].sizes();
    require(sizes == at::IntArrayRef(shape) && (!per_task || p[i].size(0) == inputs.tasks()), "network: parameter ",
            parameters_[i].name, ": expected ", at::IntArrayRef(shape), ", or a leading axis of ", inputs.tasks(),
            " tasks before it, got ", p[i].sizes());
  }
  return inputs;
}

void BasicNetwork::start_like_torch() {
  const auto of_layer = [](int64_t inputs) {
    return 1 / std::sqrt(3 * std::max<double>(1, static_cast<double>(inputs)));
  };
  const auto field_of = [&](const ParameterInfo& info) {
    return std::find_if(fields_.begin(), fields_.end(),
                        [&](const Field& field) { return info.name == "embedding." + field.name; });
  };
  for (ParameterInfo& info : parameters_) {
    if (info.deviation == 0) continue;
    if (info.layer != Layer::kEmbedding) {
      info.deviation = of_layer(info.shape.back());
      continue;
    }
    const auto field = field_of(info);
    if (field != fields_.end() && field->kind == Field::Kind::kNumbers)
      info.deviation = of_layer(field->width);
    else
      info.deviation = field != fields_.end() && field->several ? of_layer(field->vocabulary) : 1;
  }
}

void BasicNetwork::add_head(int64_t features, bool ones) {
  features_ = features;
  const double deviation = ones ? 0 : 1 / std::sqrt(std::max<double>(1, static_cast<double>(features)));
  parameters_.push_back({"head.weight", {outputs_, features}, Layer::kHead, deviation, ones ? 1.0 : 0.0});
  parameters_.push_back({"head.bias", {outputs_}, Layer::kHead});
}

Perceptron::Perceptron(const std::string& prefix, int64_t inputs, const std::vector<int64_t>& hidden,
                       Activation activation, std::vector<ParameterInfo>& parameters)
    : sizes_{inputs}, activation_(activation), first_(parameters.size()) {
  // Keeps the size of activations from layer to layer (He et al., ICCV 2015; Glorot, Bengio, AISTATS 2010).
  const double gain = activation == Activation::kRelu ? 2 : 1;
  for (size_t l = 0; l < hidden.size(); ++l) {
    const std::string name = prefix + "." + std::to_string(l);
    const double deviation = std::sqrt(gain / std::max<double>(1, sizes_.back()));
    parameters.push_back({name + ".weight", {hidden[l], sizes_.back()}, Layer::kBody, deviation});
    parameters.push_back({name + ".bias", {hidden[l]}, Layer::kBody});
    sizes_.push_back(hidden[l]);
  }
}

at::Tensor Perceptron::operator()(std::span<const at::Tensor> p, at::Tensor x) const {
  for (size_t l = 0; l + 1 < sizes_.size(); ++l)
    x = activate(dense(x, p[first_ + 2 * l], p[first_ + 2 * l + 1]), activation_);
  return x;
}

}  // namespace fewshop::nn
