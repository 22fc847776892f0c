#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "learner/meta_train.h"

namespace fewshop::bench {

/// Something that a meta-batch of 32 tasks trains: what a step of the outer loop asks for.
struct TrainingProblem {
  std::vector<learning::Parameter> parameters;
  /// Mean query loss of the tasks [begin, end), whose gradients are those of the parameters.
  std::function<at::Tensor(int64_t begin, int64_t end)> query_loss;
  double flops_of_a_task = 0;  // of the products of the inner loop and its gradient, as they are computed
};

constexpr int64_t kTasks = 32, kSteps = 5;

/// 5-way 5-shot: 25 support and 75 query rows, 64-64-64-5, cross-entropy.
TrainingProblem few_shot(int order);
/// The decision layers of MeLU: 36 support and 10 query rows, 256-64-64-1, squared error.
TrainingProblem melu_layers(int order);
/// MeLU with its embeddings at the sizes of MovieLens-1M (bench/peers/melu.py): an mlp encoder of eight fields.
TrainingProblem melu_whole(int order);

/// One step of the outer loop as meta_train does it: four shards of tasks on `threads` threads, then Adam.
class TrainingStep {
 public:
  explicit TrainingStep(TrainingProblem problem);
  ~TrainingStep();
  double flops() const;
  void run(int threads);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace fewshop::bench
