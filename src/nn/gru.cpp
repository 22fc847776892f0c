#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <cmath>

#include "nn/sequence_network.h"

namespace fewshop::nn {
namespace {

/// Gated recurrent unit; the last state is the sequence's vector. From state 0, for every entry x:
///
///   r = sigmoid(W_r x + b_r + U_r s + c_r)       z = sigmoid(W_z x + b_z + U_z s + c_z)
///   n = tanh(W_n x + b_n + r * (U_n s + c_n))    s <- (1 - z) * n + z * s
///
/// W [3h, k] and U [3h, h] hold r, z, n below each other. The reset gate acts behind the product with U_n, which is
/// one product a step less than in the paper.
/// Cho, van Merrienboer, Gulcehre, Bahdanau, Bougares, Schwenk, Bengio. "Learning Phrase Representations using RNN
/// Encoder-Decoder for Statistical Machine Translation." EMNLP 2014; over items of a session: Hidasi, Karatzoglou,
/// Baltrunas, Tikk. "Session-based Recommendations with Recurrent Neural Networks." ICLR 2016.
class Gru : public SequenceLayer {
 public:
  Gru(int64_t k, int64_t h, const std::string& prefix, std::vector<ParameterInfo>& parameters)
      : h_(h), first_(parameters.size()) {
    const double deviation = 1 / std::sqrt(static_cast<double>(h));
    parameters.push_back({prefix + ".input.weight", {3 * h, k}, Layer::kBody, deviation});
    parameters.push_back({prefix + ".input.bias", {3 * h}, Layer::kBody});
    parameters.push_back({prefix + ".state.weight", {3 * h, h}, Layer::kBody, deviation});
    parameters.push_back({prefix + ".state.bias", {3 * h}, Layer::kBody});
  }
  int64_t outputs() const override { return h_; }

  at::Tensor operator()(std::span<const at::Tensor> p, const at::Tensor& x, const at::Tensor& mask) const override {
    const at::Tensor inputs = dense_entries(x, p[first_], p[first_ + 1]);  // [T, S, L, 3h]
    at::Tensor state = at::zeros({x.size(0), x.size(1), h_}, x.options());
    for (int64_t l = 0; l < x.size(2); ++l) {
      const at::Tensor a = inputs.select(2, l), u = dense(state, p[first_ + 2], p[first_ + 3]);
      const at::Tensor gates = (a.narrow(-1, 0, 2 * h_) + u.narrow(-1, 0, 2 * h_)).sigmoid();
      const at::Tensor reset = gates.narrow(-1, 0, h_), keep = gates.narrow(-1, h_, h_);
      const at::Tensor candidate = (a.narrow(-1, 2 * h_, h_) + reset * u.narrow(-1, 2 * h_, h_)).tanh();
      const at::Tensor change = (1 - keep) * (candidate - state);
      state = state + mask.narrow(-1, l, 1) * change;
    }
    return state;
  }

 private:
  int64_t h_;
  size_t first_;
};

}  // namespace

std::unique_ptr<BasicNetwork> make_gru(const EncoderOptions& options, std::vector<Field> fields, int64_t outputs) {
  return make_sequence_network(
      options, std::move(fields), outputs,
      [](const EncoderOptions& o, const std::string& prefix, std::vector<ParameterInfo>& parameters) {
        return std::make_unique<Gru>(o.embedding, o.state, prefix, parameters);
      });
}

}  // namespace fewshop::nn
