#pragma once

#include <span>
#include <string>
#include <vector>

#include "nn/field_inputs.h"
#include "nn/network.h"

namespace fewshop::nn {

// Axes: T tasks, S rows of a task, V entries of a vocabulary, k embedding size.

/// How the fields of a row become numbers: a bag the mean of its entries' vectors, numbers themselves or a vector too.
class FieldEmbedding {
 public:
  enum class Numbers {
    kStraight,  // as they are, [width]
    kVector,    // sum of number times its vector, [k]
  };

  FieldEmbedding() = default;
  /// Adds "embedding.<field>" to `parameters`: [V, k] for entries, [k, width] for numbers as vectors. Sequences count
  /// as bags, or are left out where `sequences` is false.
  FieldEmbedding(const std::vector<Field>& fields, int64_t k, Numbers numbers, bool sequences,
                 std::vector<ParameterInfo>& parameters);

  /// One tensor per field [T, S, width(f)], those left out absent.
  std::vector<at::Tensor> each(std::span<const at::Tensor> p, const FieldInputs& inputs) const;
  /// All of them side by side: [T, S, width()].
  at::Tensor joined(std::span<const at::Tensor> p, const FieldInputs& inputs) const;

  /// Positions of the fields that are not left out.
  const std::vector<size_t>& used() const { return used_; }
  int64_t width() const { return width_; }

 private:
  static constexpr size_t kNone = static_cast<size_t>(-1);
  struct Entry {
    size_t field;
    bool numbers;
    size_t parameter;  // kNone: straight numbers
  };
  std::vector<Entry> entries_;
  std::vector<size_t> used_;
  int64_t width_ = 0;
};

}  // namespace fewshop::nn
