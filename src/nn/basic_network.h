#pragma once

#include <span>
#include <string>
#include <vector>

#include "nn/field_inputs.h"
#include "nn/layers.h"
#include "nn/network.h"

namespace fewshop::nn {

/// What all networks share: their fields, parameters and sizes.
class BasicNetwork : public Network {
 public:
  const std::vector<ParameterInfo>& parameters() const override { return parameters_; }
  int64_t feature_size() const override { return features_; }
  int64_t outputs() const override { return outputs_; }

  /// Deviations of PyTorch's defaults for embeddings (1) and linear layers (uniform up to 1 / sqrt(inputs), a bag of
  /// entries being a linear layer on zeros and ones) instead of ours. Biases start from 0 all the same.
  void start_like_torch();

 protected:
  BasicNetwork(std::vector<Field> fields, int64_t outputs) : fields_(std::move(fields)), outputs_(outputs) {}

  /// The input as single fields, after a check that it is of this network's fields and that parameters fit it.
  FieldInputs read(std::span<const at::Tensor> p, const NetworkInput& input) const;

  /// Adds "head.weight" [O, D] and "head.bias" [O], the last parameters: random weights, or all 1.
  void add_head(int64_t features, bool ones = false);

  std::vector<Field> fields_;
  std::vector<ParameterInfo> parameters_;
  int64_t features_ = 0, outputs_ = 0;
};

/// Dense layers, each with its activation behind it: "<prefix>.<l>.weight" [sizes[l + 1], sizes[l]] and
/// "<prefix>.<l>.bias" [sizes[l + 1]].
class Perceptron {
 public:
  Perceptron() = default;
  Perceptron(const std::string& prefix, int64_t inputs, const std::vector<int64_t>& hidden, Activation activation,
             std::vector<ParameterInfo>& parameters);

  /// [T, S, inputs] -> [T, S, outputs()]
  at::Tensor operator()(std::span<const at::Tensor> p, at::Tensor x) const;

  int64_t outputs() const { return sizes_.back(); }
  /// Number of layers; 0 = the input is the output.
  int64_t hidden() const { return static_cast<int64_t>(sizes_.size()) - 1; }
  DenseBody dense_body() const { return {sizes_, activation_ == Activation::kTanh}; }

 private:
  std::vector<int64_t> sizes_;
  Activation activation_ = Activation::kRelu;
  size_t first_ = 0;
};

}  // namespace fewshop::nn
