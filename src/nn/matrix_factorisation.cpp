#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "nn/basic_network.h"
#include "nn/field_embedding.h"
#include "nn/networks.h"

namespace fewshop::nn {
namespace {

/// Matrix factorisation with features on both sides:
///
///   u = c + sum of the vectors of what describes the task   (fields "tasks.*")
///   v = sum of the vectors of everything else               (fields of items and rows, identities)
///   features = (u * v, b), b = sum of the biases of both    [k + 1]
///
/// With head weights of 1, which they start from for one output, the output is u . v + b + a constant; weights that
/// move weigh the k products.
/// Koren, Bell, Volinsky. "Matrix Factorization Techniques for Recommender Systems." Computer 2009; vectors as sums of
/// features: Chen, Zhang, Lu, Chen, Zheng, Yu. "SVDFeature." JMLR 2012; weighted products: He, Liao, Zhang, Nie, Hu,
/// Chua. "Neural Collaborative Filtering." WWW 2017, section 3.2.
class MatrixFactorisation : public BasicNetwork {
 public:
  MatrixFactorisation(const EncoderOptions& options, std::vector<Field> fields, int64_t outputs)
      : BasicNetwork(std::move(fields), outputs), k_(options.embedding) {
    const auto of_task = [](const Field& field) { return field.name.starts_with("tasks."); };
    const auto side = [&](bool task) {
      return fields_where(fields_, [&](const Field& field) { return of_task(field) == task; });
    };
    // Vectors have their bias behind them.
    task_ = {fields_, side(true), k_ + 1, FieldEmbedding::Numbers::kVector, parameters_};
    other_ = {fields_, side(false), k_ + 1, FieldEmbedding::Numbers::kVector, parameters_};
    start_ = parameters_.size();
    parameters_.push_back({"task.start", {k_}, Layer::kEmbedding, 1 / std::sqrt(static_cast<double>(k_))});
    add_head(k_ + 1, outputs_ == 1);
  }

  /// Vector and bias of both sides, [T, S, k + 1].
  std::vector<at::Tensor> embed(std::span<const at::Tensor> p, const NetworkInput& input) const override {
    const FieldInputs inputs = read(p, input);
    const at::Tensor start = at::constant_pad_nd(p[start_], {0, 1});  // it has no bias: the head's constant is one
    return {sum(task_.each(p, inputs), inputs, p) + over_rows(start), sum(other_.each(p, inputs), inputs, p)};
  }
  at::Tensor features(std::span<const at::Tensor> /*p*/, std::span<const at::Tensor> embedded) const override {
    const at::Tensor &task = embedded[0], &other = embedded[1];
    return at::cat({task.narrow(-1, 0, k_) * other.narrow(-1, 0, k_), task.narrow(-1, k_, 1) + other.narrow(-1, k_, 1)},
                   -1);
  }

 private:
  at::Tensor sum(const std::vector<at::Tensor>& vectors, const FieldInputs& inputs,
                 std::span<const at::Tensor> p) const {
    at::Tensor total = at::zeros({inputs.tasks(), inputs.rows(), k_ + 1}, p.front().options());
    for (const at::Tensor& vector : vectors) total = total + vector;
    return total;
  }

  int64_t k_;
  FieldEmbedding task_, other_;
  size_t start_ = 0;
};

}  // namespace

std::unique_ptr<BasicNetwork> make_mf(const EncoderOptions& options, std::vector<Field> fields, int64_t outputs) {
  return std::make_unique<MatrixFactorisation>(options, std::move(fields), outputs);
}

}  // namespace fewshop::nn
