#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/random.h"
#include "nn/network_input.h"

namespace fewshop::nn {

// Networks are functions of explicit parameters: every tensor is either shared by all tasks, with the shape that
// parameters() tells, or has a leading task axis [T, ...] (fast weights). Both give the same answers.
//
// Axes: T tasks, S rows of a task, D features, O outputs.

/// Which part of a network a parameter belongs to: what the inner loops of MAML's variants choose by.
enum class Layer {
  kEmbedding,  // tables of entries and whatever stands before the first dense layer
  kBody,       // dense layers up to the features
  kHead,       // the last linear layer
};

struct ParameterInfo {
  std::string name;  // "embedding.items.genres", "body.0.weight", "head.bias"
  std::vector<int64_t> shape;
  Layer layer = Layer::kBody;
  double deviation = 0;  // of the normal that it starts from
  double mean = 0;
};

/// Dense layers of a body that is a plain multilayer perceptron on one input [T, S, sizes.front()]: weights
/// "body.<l>.weight" [sizes[l + 1], sizes[l]] and "body.<l>.bias" [sizes[l + 1]], then the activation.
struct DenseBody {
  std::vector<int64_t> sizes;
  bool smooth = false;  // tanh-like smooth activation; else ReLU
};

/// A base network. Immutable; parameters are passed in the order of parameters().
class Network {
 public:
  virtual ~Network() = default;

  virtual const std::vector<ParameterInfo>& parameters() const = 0;
  virtual int64_t feature_size() const = 0;  // D
  virtual int64_t outputs() const = 0;       // O

  /// Everything before the first dense layer: what stays the same while only dense layers adapt.
  virtual std::vector<at::Tensor> embed(std::span<const at::Tensor> p, const NetworkInput& input) const = 0;
  /// The dense layers but the last: [T, S, D]. `embedded` is what embed gave.
  virtual at::Tensor features(std::span<const at::Tensor> p, std::span<const at::Tensor> embedded) const = 0;
  /// The last linear layer: features [T, S, D] -> [T, S, O].
  at::Tensor head(std::span<const at::Tensor> p, const at::Tensor& features) const;
  /// All of it: [T, S, O].
  at::Tensor forward(std::span<const at::Tensor> p, const NetworkInput& input) const;

  /// Where the body is a plain perceptron on embed(...)[0].
  virtual std::optional<DenseBody> dense_body() const { return std::nullopt; }
};

/// Starting values of all parameters.
std::vector<at::Tensor> initial_parameters(const Network& network, Random random, at::ScalarType type = at::kFloat);

/// The network that [learner.encoder] asks for (EncoderOptions, runtime/encoder_options.h: name = "linear", "mf",
/// "mlp", "deepfm", "dcn", "gru", "lstm", "transformer", and its sizes), on these fields. Throws InvalidInput for an
/// unknown name, option, or fields that the network cannot read (gru without a sequence).
std::unique_ptr<Network> make_network(const nlohmann::json& options, std::vector<Field> fields, int64_t outputs);

}  // namespace fewshop::nn
