#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <cmath>

#include "nn/basic_network.h"
#include "nn/field_embedding.h"
#include "nn/networks.h"

namespace fewshop::nn {
namespace {

/// Cross layers beside dense layers, both on x_0, the embeddings and straight numbers side by side [n]:
///
///   x_{l+1} = x_0 * (W_l x_l + b_l) + x_l,   W_l [n, n], or U_l V_l of rank r
///   features = (x_L, dense(x_0))                                                [n + hidden]
///
/// Wang, Shivanna, Cheng, Jain, Lin, Hong, Chi. "DCN V2: Improved Deep & Cross Network." WWW 2021, equations 1 and 2,
/// the parallel structure.
class CrossNetwork : public BasicNetwork {
 public:
  CrossNetwork(const EncoderOptions& options, std::vector<Field> fields, int64_t outputs)
      : BasicNetwork(std::move(fields), outputs),
        layers_(options.cross_layers),
        rank_(options.cross_rank),
        embedding_(fields_, all_fields(fields_), options.embedding, FieldEmbedding::Numbers::kStraight, parameters_) {
    const int64_t n = embedding_.width();
    const auto deviation = [](int64_t inputs) { return 1 / std::sqrt(std::max(1.0, static_cast<double>(inputs))); };
    cross_ = parameters_.size();
    for (int64_t l = 0; l < layers_; ++l) {
      const std::string name = "cross." + std::to_string(l);
      if (rank_) {
        parameters_.push_back({name + ".down", {rank_, n}, Layer::kBody, deviation(n)});
        parameters_.push_back({name + ".weight", {n, rank_}, Layer::kBody, deviation(rank_)});
      } else {
        parameters_.push_back({name + ".weight", {n, n}, Layer::kBody, deviation(n)});
      }
      parameters_.push_back({name + ".bias", {n}, Layer::kBody});
    }
    body_ = {"body", n, hidden_sizes(options), activation_from_name(options.activation), parameters_};
    add_head(body_.hidden() ? n + body_.outputs() : n);
  }

  std::vector<at::Tensor> embed(std::span<const at::Tensor> p, const NetworkInput& input) const override {
    return {embedding_.joined(p, read(p, input))};
  }
  at::Tensor features(std::span<const at::Tensor> p, std::span<const at::Tensor> embedded) const override {
    const at::Tensor& x0 = embedded[0];
    at::Tensor x = x0;
    const at::Tensor* next = &p[cross_];
    for (int64_t l = 0; l < layers_; ++l) {
      const at::Tensor inner = rank_ ? dense(x, *next++) : x;
      x = x0 * dense(inner, next[0], next[1]) + x;
      next += 2;
    }
    return body_.hidden() ? at::cat({x, body_(p, x0)}, -1) : x;
  }

 private:
  int64_t layers_, rank_;
  FieldEmbedding embedding_;
  size_t cross_ = 0;
  Perceptron body_;
};

}  // namespace

std::unique_ptr<BasicNetwork> make_dcn(const EncoderOptions& options, std::vector<Field> fields, int64_t outputs) {
  return std::make_unique<CrossNetwork>(options, std::move(fields), outputs);
}

}  // namespace fewshop::nn
