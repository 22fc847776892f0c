#pragma once

#include <vector>

#include "learner/learner.h"
#include "learner/meta_train.h"

namespace fewshop::learning {

/// A linear map from what is known of a task to numbers about it: a hypernetwork of one layer. Inputs are numbered as
/// in nn::sparse_rows: columns side by side, bags averaged. Begins as zero.
class DescriptionMap {
 public:
  /// `fields` of the task's description; without any the map is zero for good.
  DescriptionMap(const std::vector<nn::Field>& fields, int64_t outputs, at::ScalarType type);

  /// [T, outputs], in double.
  Tensor operator()(const Task& task) const;

  /// Adds "<name>" to a list where there are inputs.
  void list(std::vector<Parameter>& parameters, const std::string& name) const;

  int64_t inputs() const { return first_.back(); }
  /// First input of each column, and the number of all: [columns + 1].
  const std::vector<int32_t>& first_inputs() const { return first_; }
  const Tensor& weight() const { return weight_; }  // [inputs, outputs]

 private:
  std::vector<int32_t> first_;
  Tensor weight_;
};

}  // namespace fewshop::learning
