#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <cmath>

#include "nn/sequence_network.h"

namespace fewshop::nn {
namespace {

/// Long short-term memory; the last output is the sequence's vector. From s = c = 0, for every entry x:
///
///   i, f, o = sigmoid(W x + U s + b), f with b + 1     g = tanh(W_g x + U_g s + b_g)
///   c <- f * c + i * g                                 s <- o * tanh(c)
///
/// W [4h, k], U [4h, h] and b [4h] hold i, f, o, g below each other. The added 1 opens the forget gate at the start.
/// Hochreiter, Schmidhuber. "Long Short-Term Memory." Neural Computation 1997; forget gate: Gers, Schmidhuber, Cummins.
/// "Learning to Forget." Neural Computation 2000.
class Lstm : public SequenceLayer {
 public:
  Lstm(int64_t k, int64_t h, const std::string& prefix, std::vector<ParameterInfo>& parameters)
      : h_(h), first_(parameters.size()) {
    const double deviation = 1 / std::sqrt(static_cast<double>(h));
    parameters.push_back({prefix + ".input.weight", {4 * h, k}, Layer::kBody, deviation});
    parameters.push_back({prefix + ".state.weight", {4 * h, h}, Layer::kBody, deviation});
    parameters.push_back({prefix + ".bias", {4 * h}, Layer::kBody});
  }
  int64_t outputs() const override { return h_; }

  at::Tensor operator()(std::span<const at::Tensor> p, const at::Tensor& x, const at::Tensor& mask) const override {
    const at::Tensor inputs = dense_entries(x, p[first_], p[first_ + 2]);  // [T, S, L, 4h]
    at::Tensor state = at::zeros({x.size(0), x.size(1), h_}, x.options()), cell = state;
    for (int64_t l = 0; l < x.size(2); ++l) {
      const at::Tensor a = inputs.select(2, l) + dense(state, p[first_ + 1]);
      const at::Tensor in = a.narrow(-1, 0, h_).sigmoid(), forget = (a.narrow(-1, h_, h_) + 1).sigmoid(),
                       out = a.narrow(-1, 2 * h_, h_).sigmoid(), candidate = a.narrow(-1, 3 * h_, h_).tanh();
      const at::Tensor next = forget * cell + in * candidate, m = mask.narrow(-1, l, 1);
      cell = cell + m * (next - cell);
      state = state + m * (out * next.tanh() - state);
    }
    return state;
  }

 private:
  int64_t h_;
  size_t first_;
};

}  // namespace

std::unique_ptr<BasicNetwork> make_lstm(const EncoderOptions& options, std::vector<Field> fields, int64_t outputs) {
  return make_sequence_network(
      options, std::move(fields), outputs,
      [](const EncoderOptions& o, const std::string& prefix, std::vector<ParameterInfo>& parameters) {
        return std::make_unique<Lstm>(o.embedding, o.state, prefix, parameters);
      });
}

}  // namespace fewshop::nn
