#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "nn/basic_network.h"
#include "nn/field_embedding.h"
#include "nn/networks.h"

namespace fewshop::nn {

// Axes: T tasks, S rows of a task, L entries of a sequence, k embedding size, h state size.

/// Turns the vectors of a sequence's entries into one vector.
class SequenceLayer {
 public:
  virtual ~SequenceLayer() = default;
  virtual int64_t outputs() const = 0;  // h
  /// What is done to the vectors before the first dense layer; mask [T, S, L] 1 = an entry, those first, 0 = padding.
  virtual at::Tensor prepare(std::span<const at::Tensor> /*p*/, const at::Tensor& x, const at::Tensor& /*mask*/) const {
    return x;
  }
  /// x [T, S, L, k] -> [T, S, h]; 0 for an empty sequence. Padding changes nothing.
  virtual at::Tensor operator()(std::span<const at::Tensor> p, const at::Tensor& x, const at::Tensor& mask) const = 0;
};

/// Makes the layer of one sequence: its parameters begin with `prefix`.
using MakeSequenceLayer = std::function<std::unique_ptr<SequenceLayer>(
    const EncoderOptions& options, const std::string& prefix, std::vector<ParameterInfo>& parameters)>;

/// Sequences as vectors beside embeddings of bags and straight numbers, then dense layers. Throws InvalidInput where no
/// field is a sequence.
std::unique_ptr<BasicNetwork> make_sequence_network(const EncoderOptions& options, std::vector<Field> fields,
                                                    int64_t outputs, const MakeSequenceLayer& make_layer);

/// x [T, S, L, p] through one dense layer of all entries: [T, S, L, d].
at::Tensor dense_entries(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

}  // namespace fewshop::nn
