#include "nn/field_embedding.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <cmath>

#include "nn/layers.h"

namespace fewshop::nn {

FieldEmbedding::FieldEmbedding(const std::vector<Field>& fields, const std::vector<size_t>& which, int64_t k,
                               Numbers numbers, std::vector<ParameterInfo>& parameters) {
  // Vectors of length about 1, so that products of them and dense layers on them are of that size too.
  const auto deviation = [&](int64_t terms) { return 1 / std::sqrt(static_cast<double>(k * terms)); };
  for (const size_t f : which) {
    const Field& field = fields[f];
    const bool is_numbers = field.kind == Field::Kind::kNumbers, straight = is_numbers && numbers == Numbers::kStraight;
    entries_.push_back({f, is_numbers, straight ? kNone : parameters.size()});
    width_ += straight ? field.width : k;
    if (straight) continue;
    const std::vector<int64_t> shape =
        is_numbers ? std::vector<int64_t>{k, field.width} : std::vector<int64_t>{field.vocabulary, k};
    parameters.push_back(
        {"embedding." + field.name, shape, Layer::kEmbedding, deviation(is_numbers ? field.width : 1)});
  }
}

std::vector<at::Tensor> FieldEmbedding::each(std::span<const at::Tensor> p, const FieldInputs& inputs) const {
  const at::ScalarType type = p.front().scalar_type();
  std::vector<at::Tensor> pieces;
  for (const Entry& e : entries_) {
    if (!e.numbers)
      pieces.push_back(inputs.entry_means(e.field, p[e.parameter]));
    else if (e.parameter == kNone)
      pieces.push_back(inputs.numbers(e.field, type));
    else
      pieces.push_back(dense(inputs.numbers(e.field, type), p[e.parameter]));
  }
  return pieces;
}

at::Tensor FieldEmbedding::joined(std::span<const at::Tensor> p, const FieldInputs& inputs) const {
  const auto pieces = each(p, inputs);
  if (pieces.size() == 1) return pieces.front();
  if (pieces.empty()) return at::zeros({inputs.tasks(), inputs.rows(), 0}, p.front().options());
  return at::cat(pieces, -1);
}

}  // namespace fewshop::nn
