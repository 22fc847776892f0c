#pragma once

#include <span>
#include <string>
#include <vector>

#include "learner/learner.h"
#include "nn/network.h"

namespace fewshop::learning {

// Axes: T tasks, S rows of a task, O outputs.

/// Which parameters of a network have a copy of their own for every task (fast weights):
///
///   head      the last linear layer
///   body      the dense layers before it
///   decision  the dense layers and the head, not the embeddings
///   all       everything
class FastPart {
 public:
  /// Throws InvalidInput for another name, naming `option`. `network` must outlive it.
  FastPart(const nn::Network& network, const std::string& part, const std::string& option);

  /// Positions among network.parameters() of those that are fast.
  const std::vector<size_t>& positions() const { return positions_; }
  /// Numbers of one task.
  int64_t size() const;

  /// The shared values, once per task: [T, ...] each.
  std::vector<Tensor> start(std::span<const Tensor> weights, int64_t tasks) const;

  /// What stays the same of some rows while fast weights move.
  struct Fixed {
    nn::NetworkInput input;        // all
    std::vector<Tensor> embedded;  // body, decision
    Tensor features;               // head
  };
  Fixed fix(std::span<const Tensor> weights, const nn::NetworkInput& input) const;

  /// All parameters of the network: the shared weights, but the fast ones.
  std::vector<Tensor> merged(std::span<const Tensor> weights, std::span<const Tensor> fast) const;
  /// Features [T, S, D] and outputs [T, S, O] of rows with merged() parameters.
  Tensor features(std::span<const Tensor> merged, const Fixed& rows) const;
  Tensor output(std::span<const Tensor> merged, const Fixed& rows) const;

 private:
  const nn::Network& network_;
  std::vector<size_t> positions_;
  enum class Part { kHead, kBody, kDecision, kAll } part_;
};

/// Names of fast weights in an adapted state: "fast.0", "fast.1", ...
Adapted fast_state(std::vector<Tensor> fast);
std::vector<Tensor> fast_weights(const Adapted& adapted, size_t count);

}  // namespace fewshop::learning
