#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "runtime/family.h"

namespace fewshop::nn {

// The inner loop of MAML for small dense networks as one autograd node, written out by hand: no graph is recorded, no
// task waits for another, and all that one task needs stays in the cache of one core.
//
//   theta_0 = initial,   theta_{k+1} = theta_k - step_size_k * grad L(theta_k),   k = 0 .. steps - 1
//   L(theta) = sum over support rows of weight_s * loss(network(x_s; theta) + offset_s, target_s)
//
// The network is a multilayer perceptron (nn/network.h: DenseBody, then the head): layer l is
// h_{l+1} = activation(h_l W_l^T + b_l), the last one has no activation. The backward pass is exact: it goes through
// the steps in reverse and needs of each the product of the Hessian of L with one vector, which is the forward-mode
// derivative of a gradient (Pearlmutter. "Fast exact multiplication by the Hessian." Neural computation 1994).
//
// The first layer is kept in its dual form wherever that is cheaper: its adapted weights are
// W_0 - sum over steps of step_size * delta^T X, so that steps need of the F-wide inputs only the Gram matrix X X^T,
// [S, S].
//
// Finn, Abbeel, Levine. "Model-agnostic meta-learning for fast adaptation of deep networks." ICML 2017; step sizes:
// Li, Zhou, Chen, Li. "Meta-SGD." 2017; first order: Nichol, Achiam, Schulman. 2018.
//
// Axes: T tasks, S support rows, Q query rows, F inputs, O outputs. Everything has one type, float or double.

struct DenseInnerLoop {
  std::vector<int64_t> sizes;  // F, hidden sizes ..., O: at least two
  bool smooth = false;         // tanh; else ReLU
  int steps = 5;               // 0 = the network as it is
  int order = 2;               // 1: inner gradients are constants for the outer one
  int threads = 1;             // tasks are split over them; the number changes no bit
  /// The loss is -log p(target) of the family whose link value is output + offset (learner/likelihood.h):
  ///
  ///   family             O     beside
  ///   gaussian           1     log_noise []: log of the variance. log(0.5) constant = squared error
  ///   scores, bernoulli  1     -
  ///   categorical        C     -
  ///   ordinal            1     thresholds [C - 1], rising
  ///   poisson            1     -
  ///   negative-binomial  1     log_dispersion []
  Family family = Family::kGaussian;
};

/// Rows of T tasks, padded.
struct DenseRows {
  at::Tensor x;       // [T, S, F]
  at::Tensor target;  // [T, S] values; of classes their numbers
  at::Tensor weight;  // [T, S] what a row counts in the loss; 0 = padding. For a mean, divided by their sum already
  at::Tensor offset;  // [T, S] added to every output; undefined = 0
};

/// What the outer loop learns.
struct DenseParameters {
  /// W_0 [sizes[1], sizes[0]], b_0 [sizes[1]], W_1, b_1 ...: shared by all tasks.
  std::vector<at::Tensor> initial;
  /// One per tensor of `initial`: [steps] (a number per step), [steps, shape of the tensor] (one per coordinate), or
  /// undefined: that tensor does not adapt. Layers below the first one that adapts are better put before this loop.
  std::vector<at::Tensor> step_size;
  /// Of the loss, see DenseInnerLoop::family; undefined where there is none.
  at::Tensor beside;
  /// What the step sizes of a task are multiplied by, for each step and tensor of `initial`: [T, steps, tensors];
  /// undefined = 1. Step sizes that depend on what is known of a task.
  at::Tensor step_factor;
};

/// Adapts to the support rows, then the outputs for the query rows: x_query [T, Q, F] -> [T, Q, O] (offsets of query
/// rows are the caller's). Differentiable once, in all of `parameters`, support.x and x_query; targets, weights and
/// offsets are data. Throws InvalidInput where shapes disagree.
at::Tensor dense_inner_loop(const DenseInnerLoop& loop, const DenseParameters& parameters, const DenseRows& support,
                            const at::Tensor& x_query);

/// The same and the loss of the query rows, a scalar: sum over tasks and query rows of weight * loss. Gradients are
/// made in the same pass, task by task: nothing is kept for the backward pass, which makes it the fastest way to train.
at::Tensor dense_inner_loop_loss(const DenseInnerLoop& loop, const DenseParameters& parameters,
                                 const DenseRows& support, const DenseRows& query);

/// The adapted weights of every task, in the order of `initial`, each with a leading task axis; tensors that do not
/// adapt as well. Not differentiable.
std::vector<at::Tensor> dense_inner_loop_weights(const DenseInnerLoop& loop, const DenseParameters& parameters,
                                                 const DenseRows& support);

/// Row weights that make a loss the weighted mean over each task's rows: mask * weight / sum, [T, S]; tasks without
/// rows have none.
at::Tensor mean_row_weights(const at::Tensor& mask, const at::Tensor& weight);

}  // namespace fewshop::nn
