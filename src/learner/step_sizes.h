#pragma once

#include <string>
#include <vector>

#include "learner/learner.h"
#include "learner/meta_train.h"
#include "runtime/step_table.h"

namespace fewshop::learning {

// Axes: T tasks, S support rows, K support sizes that step sizes are tabled at.

/// The step sizes of an inner loop over n tensors, fixed or learned by the outer loop:
///
///   fixed        step_size
///   tensor       step_size * exp(log_step[tensor])
///   step         step_size * exp(log_step[step, tensor])
///   coordinate   step_size.<tensor> [shape of the tensor], of any sign: Meta-SGD
///
/// `by_size` multiplies learned ones by a factor that depends on the number of support rows of the task: learned at 1,
/// 3, 10, 30, 100 and 300 rows, in between on straight lines over its logarithm, beyond as at the ends. The mean loss
/// of few rows is noisier than that of many: how far to follow it is not the same.
///
/// Finn, Abbeel, Levine. ICML 2017; Li, Zhou, Chen, Li. "Meta-SGD: Learning to Learn Quickly for Few-Shot Learning."
/// 2017; per step and tensor: Antoniou, Edwards, Storkey. "How to train your MAML." ICLR 2019.
class StepSizes {
 public:
  enum class Kind { kFixed, kTensor, kStep, kCoordinate };

  struct Options {
    std::string kind;  // fixed, tensor, step, coordinate
    double initial = 0.1;
    int steps = 5;  // a later one is taken as the last
    bool by_size = false;
  };
  struct Adapting {
    std::string name;
    std::vector<int64_t> shape;
  };

  /// Throws InvalidInput for an unknown kind, naming `learner.step_sizes`.
  StepSizes(const Options& options, const std::vector<Adapting>& tensors, at::ScalarType type);

  /// What is trained: "step_size.log" [steps or 1, n, K or 1] and, per coordinate, "step_size.<name>".
  std::vector<Parameter> parameters() const;

  Kind kind() const { return kind_; }

  /// The share that each tabled size has in a task's step sizes: mask [T, S] -> [T, K]; undefined where size means
  /// nothing.
  Tensor shares(const Tensor& mask) const;
  /// The step size of tensor i in a step, as it multiplies a gradient [T, ...].
  Tensor at(int step, size_t i, const Tensor& shares) const;

  /// The same as products (nn/dense_inner_loop.h): of tensor i what does not depend on a task's size, [steps] or
  /// [steps, shape], times of all tensors what does, [T, steps, n]; undefined = 1.
  Tensor without_size(size_t i, int steps) const;
  Tensor by_size(const Tensor& shares, int steps) const;

  /// What the first `steps` steps have at serving time, but for coordinates: one part per tensor.
  StepTable runtime_form(int steps) const;
  const std::vector<Tensor>& coordinates() const { return coordinate_; }  // per tensor, or none
  bool depends_on_size() const { return by_size_; }

 private:
  Tensor log_of_steps(int steps) const;  // [steps, n, K or 1]

  Kind kind_;
  bool by_size_;
  double initial_;
  at::ScalarType type_;
  std::vector<Adapting> tensors_;
  Tensor log_;                      // [steps or 1, n, K or 1]; undefined: nothing of it is learned
  std::vector<Tensor> coordinate_;  // per tensor
};

}  // namespace fewshop::learning
