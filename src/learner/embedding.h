#pragma once

#include <memory>
#include <vector>

#include "learner/learner.h"
#include "learner/meta_train.h"
#include "nn/network.h"

namespace fewshop::learning {

/// The first half of learners whose head is solved for in closed form: a network with its trained values, all tasks
/// alike. What comes out is in double precision, as all that follows is.
class Embedding {
 public:
  /// Starts from the network's own starting values, kept as `type`.
  Embedding(std::unique_ptr<nn::Network> network, const Random& random, at::ScalarType type);

  /// Features of each row [T, S, D], in double.
  Tensor features(const nn::NetworkInput& x) const;
  /// The last linear layer on features: [T, S, O], in double.
  Tensor head(const Tensor& features) const;

  /// Starts the last linear layer from zeros.
  void clear_head();

  int64_t size() const { return network_->feature_size(); }
  int64_t outputs() const { return network_->outputs(); }
  const nn::Network& network() const { return *network_; }
  const std::vector<Tensor>& values() const { return values_; }

  /// Adds the trained tensors ("network.*") to a list; those of the last linear layer only where it is used.
  void list(std::vector<Parameter>& parameters, bool with_head) const;

 private:
  std::unique_ptr<nn::Network> network_;
  std::vector<Tensor> values_;  // in the order of the network's parameters
};

/// How much each row counts: weight times mask, in double. [T, S]
Tensor importance(const Rows& rows);
/// What is added to the link value of each row, in double; zeros where there is nothing. [T, S]
Tensor offsets(const Rows& rows);
/// A trained tensor of its own.
Tensor trained(Tensor start, at::ScalarType type);

}  // namespace fewshop::learning
