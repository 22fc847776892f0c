#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "nn/network_input.h"

namespace fewshop::nn {

// Axes: T tasks, S rows of a task, L entries of a sequence, k embedding size.

/// The values of single fields of an input.
class FieldInputs {
 public:
  /// Throws InvalidInput where the input has other fields than `fields`, or its tensors disagree about [T, S].
  FieldInputs(std::span<const Field> fields, const NetworkInput& input);

  int64_t tasks() const { return tasks_; }
  int64_t rows() const { return rows_; }

  /// Numbers of field f [T, S, width]; 0 where nothing is known.
  at::Tensor numbers(size_t f, at::ScalarType type) const;

  /// Mean of the vectors of field f's entries (not of numbers): table [V, k] or [T, V, k]  ->  [T, S, k].
  at::Tensor entry_means(size_t f, const at::Tensor& table) const;

  /// The entries of a sequence in their order: [T, S', L] int64, -1 behind the end; of a longer one the last `most`.
  /// S' = 1 where all rows of each task have the same one (it describes the task), else S. L is the longest, at
  /// least 1.
  at::Tensor sequence(size_t f, int64_t most) const;

 private:
  struct Source {
    std::shared_ptr<const InputTable> table;  // undefined: numbers or an identity
    const Column* column = nullptr;           // of the table
    at::Tensor values;                        // [T, S] row of the table or identity; or the numbers [T, S, width]
  };

  std::vector<Source> sources_;
  int64_t tasks_ = 0, rows_ = 0;
};

}  // namespace fewshop::nn
