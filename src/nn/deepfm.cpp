#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "nn/basic_network.h"
#include "nn/field_embedding.h"
#include "nn/networks.h"

namespace fewshop::nn {
namespace {

/// A factorisation machine and dense layers on the same vectors e_f [k], one per field f:
///
///   features = (sum_f w_f, sum_{f < g} e_f * e_g, dense(e_1, ..., e_F))      [1 + k + hidden]
///
/// The pairs are ((sum e)^2 - sum e^2) / 2. The paper adds up their k products with weights of 1; here the head weighs
/// them (as Bi-Interaction pooling does: He, Chua. "Neural Factorization Machines." SIGIR 2017), so that a head that
/// adapts can.
/// Guo, Tang, Ye, Li, He. "DeepFM: A Factorization-Machine based Neural Network for CTR Prediction." IJCAI 2017.
class DeepFm : public BasicNetwork {
 public:
  DeepFm(const EncoderOptions& options, std::vector<Field> fields, int64_t outputs)
      : BasicNetwork(std::move(fields), outputs),
        k_(options.embedding),
        // Vectors have the weight of first order behind them.
        embedding_(fields_, all_fields(fields_), k_ + 1, FieldEmbedding::Numbers::kVector, parameters_),
        body_("body", embedding_.fields() * k_, hidden_sizes(options), activation_from_name(options.activation),
              parameters_) {
    add_head(1 + k_ + (body_.hidden() ? body_.outputs() : 0));
  }

  /// Vectors side by side [T, S, F k], and what has no dense layer [T, S, 1 + k].
  std::vector<at::Tensor> embed(std::span<const at::Tensor> p, const NetworkInput& input) const override {
    const auto pieces = embedding_.each(p, read(p, input));
    const at::Tensor all = at::stack(pieces, 2);  // [T, S, F, k + 1]
    const at::Tensor vectors = all.narrow(-1, 0, k_);
    const at::Tensor sum = vectors.sum(2);
    const at::Tensor pairs = (sum * sum - (vectors * vectors).sum(2)) / 2;
    return {vectors.reshape({all.size(0), all.size(1), all.size(2) * k_}),
            at::cat({all.select(-1, k_).sum(2, true), pairs}, -1)};
  }
  at::Tensor features(std::span<const at::Tensor> p, std::span<const at::Tensor> embedded) const override {
    return body_.hidden() ? at::cat({embedded[1], body_(p, embedded[0])}, -1) : embedded[1];
  }

 private:
  int64_t k_;
  FieldEmbedding embedding_;
  Perceptron body_;
};

}  // namespace

std::unique_ptr<BasicNetwork> make_deepfm(const EncoderOptions& options, std::vector<Field> fields, int64_t outputs) {
  return std::make_unique<DeepFm>(options, std::move(fields), outputs);
}

}  // namespace fewshop::nn
