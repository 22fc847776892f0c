#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <cmath>

#include "nn/gather.h"
#include "nn/sequence_network.h"

namespace fewshop::nn {
namespace {

/// A small transformer encoder. Entries get a learned vector of their position, counted from the sequence's end (0 =
/// the last entry), then blocks of
///
///   x <- x + attention(norm(x))        heads of softmax(Q K^T / sqrt(k / heads)) V over all entries
///   x <- x + dense(norm(x))            k -> 4k, activation, -> k
///
/// and the mean of norm(x) over the entries is the sequence's vector [k].
/// Vaswani, Shazeer, Parmar, Uszkoreit, Jones, Gomez, Kaiser, Polosukhin. "Attention Is All You Need." NeurIPS 2017;
/// norms before the layers: Xiong et al. "On Layer Normalization in the Transformer Architecture." ICML 2020; over a
/// user's items: Kang, McAuley. "Self-Attentive Sequential Recommendation." ICDM 2018.
class Transformer : public SequenceLayer {
 public:
  Transformer(const EncoderOptions& o, const std::string& prefix, std::vector<ParameterInfo>& parameters)
      : k_(o.embedding), heads_(o.heads), blocks_(o.blocks), activation_(activation_from_name(o.activation)) {
    const auto add = [&](const std::string& name, std::vector<int64_t> shape, Layer layer, double deviation,
                         double mean) {
      parameters.push_back({prefix + "." + name, std::move(shape), layer, deviation, mean});
    };
    const auto add_dense = [&](const std::string& name, int64_t outputs, int64_t inputs) {
      add(name + ".weight", {outputs, inputs}, Layer::kBody, 1 / std::sqrt(static_cast<double>(inputs)), 0);
      add(name + ".bias", {outputs}, Layer::kBody, 0, 0);
    };
    const auto add_norm = [&](const std::string& name) {
      add(name + ".scale", {k_}, Layer::kBody, 0, 1);
      add(name + ".shift", {k_}, Layer::kBody, 0, 0);
    };
    first_ = parameters.size();
    add("position", {o.max_length, k_}, Layer::kEmbedding, 1 / std::sqrt(static_cast<double>(k_)), 0);
    for (int64_t b = 0; b < blocks_; ++b) {
      const std::string block = std::to_string(b);
      add_norm(block + ".attention.norm");
      add_dense(block + ".attention.input", 3 * k_, k_);
      add_dense(block + ".attention.output", k_, k_);
      add_norm(block + ".dense.norm");
      add_dense(block + ".dense.0", 4 * k_, k_);
      add_dense(block + ".dense.1", k_, 4 * k_);
    }
    add_norm("norm");
  }
  int64_t outputs() const override { return k_; }

  at::Tensor prepare(std::span<const at::Tensor> p, const at::Tensor& x, const at::Tensor& mask) const override {
    const int64_t tasks = x.size(0), rows = x.size(1), length = x.size(2);
    const at::Tensor from_end = mask.sum(-1, true).to(at::kLong) - 1 - at::arange(length, at::kLong);
    const at::Tensor position = at::clamp_min(from_end, -1).reshape({tasks, rows * length});  // -1 behind the end
    return x + entry_means(p[first_], {}, position).view(x.sizes());
  }

  at::Tensor operator()(std::span<const at::Tensor> p, const at::Tensor& x_, const at::Tensor& mask) const override {
    at::Tensor x = x_;
    const at::Tensor* next = &p[first_ + 1];
    for (int64_t b = 0; b < blocks_; ++b) {
      x = x + attention(next + 2, norm(next, x), mask);
      next += 6;
      x = x + dense_entries(activate(dense_entries(norm(next, x), next[2], next[3]), activation_), next[4], next[5]);
      next += 6;
    }
    const at::Tensor sum = (norm(next, x) * mask.unsqueeze(-1)).sum(2);
    return sum / mask.sum(-1, true).clamp_min(1);
  }

 private:
  /// A vector of parameters, [k] or [T, k], as it meets [T, S, L, k].
  static at::Tensor over_entries(const at::Tensor& vector) {
    return vector.dim() == 2 ? vector.unsqueeze(1).unsqueeze(1) : vector;
  }
  /// Written out, as every part of it is differentiable as often as wanted. p: scale, shift.
  static at::Tensor norm(const at::Tensor* p, const at::Tensor& x) {
    constexpr double kSmall = 1e-5;
    const at::Tensor centred = x - x.mean(-1, true);
    const at::Tensor deviation = (centred * centred).mean(-1, true) + kSmall;
    return centred * deviation.rsqrt() * over_entries(p[0]) + over_entries(p[1]);
  }
  /// p: weight and bias of the input, of the output.
  at::Tensor attention(const at::Tensor* p, const at::Tensor& x, const at::Tensor& mask) const {
    constexpr double kNever = 1e9;  // exp of minus that is 0
    const int64_t tasks = x.size(0), rows = x.size(1), length = x.size(2), size = k_ / heads_;
    const at::Tensor qkv = dense_entries(x, p[0], p[1]).view({tasks * rows, length, 3, heads_, size});
    const auto part = [&](int64_t which) {  // [T S heads, L, size]
      return qkv.select(2, which).permute({0, 2, 1, 3}).reshape({tasks * rows * heads_, length, size});
    };
    const at::Tensor scores = at::bmm(part(0), part(1).transpose(1, 2)) / std::sqrt(static_cast<double>(size));
    const at::Tensor hidden = ((mask - 1) * kNever).view({tasks * rows, 1, 1, length});
    const at::Tensor weights = (scores.view({tasks * rows, heads_, length, length}) + hidden).softmax(-1);
    const at::Tensor mixed = at::bmm(weights.view({tasks * rows * heads_, length, length}), part(2));
    return dense_entries(
        mixed.view({tasks * rows, heads_, length, size}).permute({0, 2, 1, 3}).reshape({tasks, rows, length, k_}), p[2],
        p[3]);
  }

  int64_t k_, heads_, blocks_;
  Activation activation_;
  size_t first_ = 0;
};

}  // namespace

std::unique_ptr<BasicNetwork> make_transformer(const EncoderOptions& options, std::vector<Field> fields,
                                               int64_t outputs) {
  return make_sequence_network(
      options, std::move(fields), outputs,
      [](const EncoderOptions& o, const std::string& prefix, std::vector<ParameterInfo>& parameters) {
        return std::make_unique<Transformer>(o, prefix, parameters);
      });
}

}  // namespace fewshop::nn
