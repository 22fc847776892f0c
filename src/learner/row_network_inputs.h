#pragma once

#include <memory>
#include <span>
#include <vector>

#include "feature/entity_columns.h"
#include "learner/item_inputs.h"
#include "learner/learner.h"
#include "learner/row_fit.h"
#include "nn/network_input.h"

namespace fewshop::learning {

/// How a row of a problem that asks about rows becomes what a network reads: its own columns, its item's, the task's
/// description, and the identity of the item where training has seen it.
class RowNetworkInputs {
 public:
  struct Parts {
    std::vector<nn::Field> own, description;  // own: columns of the row, then of its item
    bool identity = false;                    // items have an embedding of their own
    std::vector<uint8_t> known;               // [items] seen in training
  };
  explicit RowNetworkInputs(Parts parts) : p_(std::move(parts)) {}
  static RowNetworkInputs fitted(const RowFitInput& input, bool identity);

  const Parts& parts() const { return p_; }
  std::vector<nn::Field> fields() const;

  /// Rows as they arrive: one task, n rows -> [1, n]. Owns the encoded values that the input points into.
  struct Served {
    std::shared_ptr<EntityColumns> columns;
    nn::NetworkInput x;
  };
  Served input(std::span<const RowInput> rows, const DescriptionRows& description) const;

  /// The identities [T, S] of items [T, S].
  nn::NetworkInput::Identity identity(const Tensor& item) const;

 private:
  Parts p_;
};

}  // namespace fewshop::learning
