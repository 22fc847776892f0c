#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "feature/entity_columns.h"
#include "learner/baseline/baseline.h"
#include "learner/episodic_options.h"
#include "learner/learner.h"
#include "nn/network_input.h"

namespace fewshop::learning {

/// Row `task` of the descriptions of many tasks, as one part of a network's input; table null = no descriptions.
struct DescriptionRows {
  std::shared_ptr<const nn::InputTable> table;
  Tensor row;  // [T] int64, -1 = nothing known
};

/// The description of one task as it arrives; owns the encoded values.
struct ServedDescription {
  std::shared_ptr<EntityColumns> columns;
  DescriptionRows rows;

  /// The task that a learner adapts to: new, with this description.
  Task task() const;
};
ServedDescription served_description(const std::vector<nn::Field>& fields, std::span<const ColumnView> description);

/// Columns of these shapes, without rows.
Columns empty_columns(const std::vector<nn::Field>& fields);

/// How a row of a recommender, which is an item, becomes what a network reads: the item's features, its own identity
/// where training has seen it, the task's description; and the offset that its link value starts from.
class ItemInputs {
 public:
  static constexpr const char* kIdentity = "items.id";  // the field of an item's own embedding
  struct Parts {
    std::shared_ptr<EntityColumns> items;  // features of all items
    std::vector<std::string> sequences;    // names of columns that are read in their order
    std::vector<nn::Field> description;    // fields of the task's description
    bool identity = true;                  // items have an embedding of their own
    std::vector<uint8_t> known;            // [items] seen in training
    std::vector<float> offset;             // [items]
    float unknown_offset = 0;              // of items that training has not seen
  };
  explicit ItemInputs(Parts parts);

  /// Features, identities and offsets as training sees them: rows of hidden items have left no trace.
  static ItemInputs fitted(const FitInput& input, const EpisodicOptions& options);

  /// item [T, S] -> the network's input. `hidden` [items] marks items that are to look new; null = none.
  nn::NetworkInput input(const Tensor& item, const DescriptionRows& description,
                         const std::vector<uint8_t>* hidden = nullptr) const;
  /// item [T, S] -> offset of the link [T, S].
  Tensor offset(const Tensor& item, const std::vector<uint8_t>* hidden = nullptr) const;

  /// The fields of input().
  std::vector<nn::Field> fields() const;
  const Parts& parts() const { return p_; }
  /// Items that training has seen.
  const std::vector<int32_t>& seen() const { return seen_; }
  /// Takes one more item, or other features of a known one.
  void add_item(std::span<const ColumnView> features);
  void change_item(int32_t item, std::span<const ColumnView> features);

 private:
  bool usable(int64_t item, const std::vector<uint8_t>* hidden) const {
    return item >= 0 && item < static_cast<int64_t>(p_.known.size()) && p_.known[item] && !(hidden && (*hidden)[item]);
  }

  Parts p_;
  std::shared_ptr<const nn::InputTable> table_;  // of the items' features; null without any
  std::vector<int32_t> seen_;
};

/// Columns of a scenario that networks read in their order.
std::vector<std::string> sequence_columns(const Scenario& scenario);

}  // namespace fewshop::learning
