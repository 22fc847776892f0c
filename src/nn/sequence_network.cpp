#include "nn/sequence_network.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <cmath>

#include "core/error.h"
#include "nn/gather.h"

namespace fewshop::nn {
namespace {

bool is_sequence(const Field& field) { return field.kind == Field::Kind::kSequence; }

class SequenceNetwork : public BasicNetwork {
 public:
  SequenceNetwork(const EncoderOptions& options, std::vector<Field> fields, int64_t outputs,
                  const MakeSequenceLayer& make_layer)
      : BasicNetwork(std::move(fields), outputs),
        most_(options.max_length),
        beside_(fields_, fields_where(fields_, [](const Field& f) { return !is_sequence(f); }), options.embedding,
                FieldEmbedding::Numbers::kStraight, parameters_) {
    const int64_t k = options.embedding;
    int64_t width = beside_.width();
    for (const size_t f : fields_where(fields_, is_sequence)) {
      const Field& field = fields_[f];
      Sequence sequence{f, parameters_.size(), nullptr};
      parameters_.push_back(
          {"embedding." + field.name, {field.vocabulary, k}, Layer::kEmbedding, 1 / std::sqrt(static_cast<double>(k))});
      sequence.layer = make_layer(options, options.name + "." + field.name, parameters_);
      width += sequence.layer->outputs();
      sequences_.push_back(std::move(sequence));
    }
    require(!sequences_.empty(), "learner.encoder.name: ", options.name,
            " reads a sequence, and no feature is one; give a feature the type sequence or text, or take mlp");
    body_ = {"body", width, hidden_sizes(options), activation_from_name(options.activation), parameters_};
    add_head(body_.outputs());
  }

  /// What stands beside the sequences [T, S, .], then of every sequence the entries' vectors [T, S', L, k] and the mask
  /// [T, S', L]; S' = 1 where all rows of each task have the same sequence.
  std::vector<at::Tensor> embed(std::span<const at::Tensor> p, const NetworkInput& input) const override {
    const FieldInputs inputs = read(p, input);
    std::vector<at::Tensor> parts{beside_.joined(p, inputs)};
    for (const Sequence& sequence : sequences_) {
      const at::Tensor ids = inputs.sequence(sequence.field, most_);
      const int64_t tasks = ids.size(0), rows = ids.size(1), length = ids.size(2);
      const at::Tensor& table = p[sequence.table];
      const at::Tensor x = entry_means(table, {}, ids.view({tasks, rows * length}));
      const at::Tensor mask = ids.ge(0).to(table.scalar_type());
      parts.push_back(sequence.layer->prepare(p, x.view({tasks, rows, length, table.size(-1)}), mask));
      parts.push_back(mask);
    }
    return parts;
  }

  at::Tensor features(std::span<const at::Tensor> p, std::span<const at::Tensor> embedded) const override {
    const int64_t tasks = embedded[0].size(0), rows = embedded[0].size(1);
    std::vector<at::Tensor> pieces;
    if (embedded[0].size(2) > 0) pieces.push_back(embedded[0]);
    for (size_t i = 0; i < sequences_.size(); ++i) {
      const at::Tensor y = (*sequences_[i].layer)(p, embedded[1 + 2 * i], embedded[2 + 2 * i]);
      pieces.push_back(y.expand({tasks, rows, y.size(2)}));
    }
    return body_(p, at::cat(pieces, -1));
  }

 private:
  struct Sequence {
    size_t field, table;
    std::unique_ptr<SequenceLayer> layer;
  };
  int64_t most_;
  FieldEmbedding beside_;
  std::vector<Sequence> sequences_;
  Perceptron body_;
};

}  // namespace

at::Tensor dense_entries(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  const int64_t tasks = x.size(0), rows = x.size(1), length = x.size(2);
  const at::Tensor y = dense(x.reshape({tasks, rows * length, x.size(3)}), weight, bias);
  return y.view({tasks, rows, length, y.size(2)});
}

std::unique_ptr<BasicNetwork> make_sequence_network(const EncoderOptions& options, std::vector<Field> fields,
                                                    int64_t outputs, const MakeSequenceLayer& make_layer) {
  return std::make_unique<SequenceNetwork>(options, std::move(fields), outputs, make_layer);
}

}  // namespace fewshop::nn
