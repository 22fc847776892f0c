#include "nn/basic_network.h"
#include "nn/field_embedding.h"
#include "nn/networks.h"

namespace fewshop::nn {
namespace {

/// Embeddings of bags and straight numbers side by side, then dense layers. `mlp`, and without layers `linear`.
/// For categories of users and items this is the network of Lee, Im, Jang, Cho, Chung. "MeLU: Meta-Learned User
/// Preference Estimator for Cold-Start Recommendation." KDD 2019, section 3.1.
class MlpNetwork : public BasicNetwork {
 public:
  MlpNetwork(const EncoderOptions& options, const std::vector<int64_t>& hidden, std::vector<Field> fields,
             int64_t outputs)
      : BasicNetwork(std::move(fields), outputs),
        embedding_(fields_, all_fields(fields_), options.embedding, FieldEmbedding::Numbers::kStraight, parameters_),
        body_("body", embedding_.width(), hidden, activation_from_name(options.activation), parameters_) {
    add_head(body_.outputs());
  }

  std::vector<at::Tensor> embed(std::span<const at::Tensor> p, const NetworkInput& input) const override {
    return {embedding_.joined(p, read(p, input))};
  }
  at::Tensor features(std::span<const at::Tensor> p, std::span<const at::Tensor> embedded) const override {
    return body_(p, embedded[0]);
  }
  std::optional<DenseBody> dense_body() const override { return body_.dense_body(); }

 private:
  FieldEmbedding embedding_;
  Perceptron body_;
};

}  // namespace

std::unique_ptr<BasicNetwork> make_linear(const EncoderOptions& options, std::vector<Field> fields, int64_t outputs) {
  return std::make_unique<MlpNetwork>(options, std::vector<int64_t>{}, std::move(fields), outputs);
}

std::unique_ptr<BasicNetwork> make_mlp(const EncoderOptions& options, std::vector<Field> fields, int64_t outputs) {
  return std::make_unique<MlpNetwork>(options, hidden_sizes(options), std::move(fields), outputs);
}

}  // namespace fewshop::nn
