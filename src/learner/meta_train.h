#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/random.h"
#include "learner/fit.h"
#include "task/dataset.h"

namespace fewshop::learning {

using fewshop::Run;

/// One trained tensor. `decay` (broadcastable) is the weight of its squared norm in the outer loss; undefined = none.
struct Parameter {
  std::string name;
  at::Tensor value;
  at::Tensor decay;
};

/// What a learner that trains by episodes gives to meta_train.
struct EpisodicLearner {
  std::vector<Parameter> parameters;
  /// Mean query loss of some episodes, a scalar; `hidden` [items] marks items held out of this step.
  std::function<at::Tensor(std::span<const Episode>, const std::vector<uint8_t>& hidden, Random random)> query_loss;
  /// The gradient of these episodes where it is not the derivative of query_loss (reptile): in the order of parameters,
  /// undefined tensors are zeros. Empty: derive query_loss. The mean over a meta-batch weighs episodes alike.
  std::function<std::vector<at::Tensor>(std::span<const Episode>, const std::vector<uint8_t>& hidden, Random random)>
      outer_gradient = nullptr;
  /// Meta-validation loss of the present parameters (lower is better); empty: train for exactly `epochs`.
  std::function<double()> validation_loss;
};

struct MetaTrainOptions {
  int epochs = 40;           // at most
  int schedule_epochs = 40;  // the cosine of the step size reaches 0 here
  int patience = 8;
  int batch_tasks = 64;
  int query = 64;
  double lr = 0.02;
  double hold_out_items = 0.3;
  bool cosine = true;                // lowers the step size along it; else it stays
  bool average = true;               // parameters that are validated and kept are averaged over the last steps
  int64_t steps_per_judgement = 15;  // where an epoch is fewer outer steps, several of them are judged together
  bool judge_start = false;          // whether what training begins with may be what is kept
  double clamp = 0;                  // bound of every entry of the gradient of a meta-batch; 0 = none
  double epsilon = 3e-3;  // of Adam. Large: rare embeddings have tiny gradients, and would move as far as all others
};

struct MetaTrainResult {
  int epochs = 0;  // after which the parameters that were kept stood
  double best_validation = 0;
  std::vector<double> train_loss;       // per epoch
  std::vector<double> validation_loss;  // per judgement: every epoch, or every few where an epoch is a few steps
};

/// The outer loop that all episodic learners share: samples episodes, lowers their query loss by Adam, stops early on
/// meta-validation tasks and leaves the best parameters in place.
///
/// The gradient of a meta-batch is summed over a fixed number of shards, so that the number of threads changes no bit.
/// Throws Failure when the loss is not finite ("diverged ... lower learner.lr"), Interrupted on Ctrl-C.
MetaTrainResult meta_train(EpisodicLearner& learner, const Dataset& data, const Scenario& scenario,
                           const TaskSet& tasks, const MetaTrainOptions& options, const Run& run);

}  // namespace fewshop::learning
