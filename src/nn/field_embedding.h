#pragma once

#include <span>
#include <string>
#include <vector>

#include "nn/field_inputs.h"
#include "nn/network.h"

namespace fewshop::nn {

// Axes: T tasks, S rows of a task, V entries of a vocabulary, k embedding size.

/// Positions of the fields for which `test` holds.
template <class Test>
std::vector<size_t> fields_where(const std::vector<Field>& fields, Test&& test) {
  std::vector<size_t> which;
  for (size_t f = 0; f < fields.size(); ++f)
    if (test(fields[f])) which.push_back(f);
  return which;
}
inline std::vector<size_t> all_fields(const std::vector<Field>& fields) {
  return fields_where(fields, [](const Field&) { return true; });
}

/// How the fields of a row become numbers: a bag the mean of its entries' vectors, numbers themselves or a vector too.
class FieldEmbedding {
 public:
  enum class Numbers {
    kStraight,  // as they are, [width]
    kVector,    // sum of number times its vector, [k]
  };

  FieldEmbedding() = default;
  /// For the fields at `which`. Adds "embedding.<field>" to `parameters`: [V, k] for entries (sequences count as bags),
  /// [k, width] for numbers as vectors.
  FieldEmbedding(const std::vector<Field>& fields, const std::vector<size_t>& which, int64_t k, Numbers numbers,
                 std::vector<ParameterInfo>& parameters);

  /// One tensor per field, [T, S, width] or [T, S, k].
  std::vector<at::Tensor> each(std::span<const at::Tensor> p, const FieldInputs& inputs) const;
  /// All of them side by side: [T, S, width()].
  at::Tensor joined(std::span<const at::Tensor> p, const FieldInputs& inputs) const;

  int64_t fields() const { return static_cast<int64_t>(entries_.size()); }
  int64_t width() const { return width_; }

 private:
  static constexpr size_t kNone = static_cast<size_t>(-1);
  struct Entry {
    size_t field;
    bool numbers;
    size_t parameter;  // kNone: straight numbers
  };
  std::vector<Entry> entries_;
  int64_t width_ = 0;
};

}  // namespace fewshop::nn
