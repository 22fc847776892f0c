#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "runtime/row_inputs.h"

namespace fewshop {

/// Boosted regression trees, read from the JSON that XGBoost itself writes and walked without XGBoost.
/// Chen, Guestrin. "XGBoost: A scalable tree boosting system." KDD 2016.
class Trees {
 public:
  Trees() = default;
  /// Throws InvalidInput for JSON that is no such model, and for trees whose nodes lead outside them or in circles.
  explicit Trees(const std::string& json);

  /// 1, or the number of classes of a softmax.
  int32_t outputs() const { return outputs_; }
  size_t size() const { return roots_.size(); }

  /// Adds the leaves that a row reaches to margin [outputs]. Inputs that the row does not have are missing, as they
  /// were in training.
  void add_margins(const SparseRow& row, std::span<float> margin) const;

 private:
  struct Node {
    int32_t left, right;  // left < 0: a leaf
    int32_t input;
    float value;  // threshold, or the value of the leaf
    bool missing_left;
  };
  std::vector<Node> nodes_;
  std::vector<int32_t> roots_, output_of_;  // [trees]
  int32_t outputs_ = 1;
};

}  // namespace fewshop
