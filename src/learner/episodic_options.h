#pragma once

#include <algorithm>
#include <cmath>
#include <string>

#include "core/options.h"

namespace fewshop {

/// Options of the outer loop that all learners with episodes share; each has its own beside them, and its encoder's in
/// [learner.encoder]. No libtorch.
struct EpisodicOptions {
  int epochs = 0;
  int patience = 0;
  int batch_tasks = 32;
  int query = 64;
  double lr = 0.003;
  std::string schedule = "cosine";
  double clamp = 0;
  double decay = 1e-5;
  std::string start = "bias";
  bool identity = true;
  int negatives = 4;
  int folds = 5;
};

template <class Visitor>
void fields(EpisodicOptions& o, Visitor&& visit) {
  visit("epochs", o.epochs,
        Field{0, 10000, "passes over the training tasks at most; 0 = as many as make 3,000 outer steps, 10 to 200"});
  visit("patience", o.patience,
        Field{0, 1000, "epochs without a better meta-validation metric before training stops; 0 = a fifth of epochs"});
  visit("batch_tasks", o.batch_tasks, Field{1, 4096, "tasks of one outer step (meta-batch)"});
  visit("query", o.query, Field{1, 4096, "query rows of a training episode at most"});
  visit("lr", o.lr, Field{1e-6, 10, "outer-loop step size (Adam)"});
  visit("schedule", o.schedule,
        Field{0, 0, "cosine: the outer step size falls to 0 and parameters are averaged; constant: neither"});
  visit("clamp", o.clamp, Field{0, 1e6, "bound of every outer gradient entry; 0 = none"});
  visit("decay", o.decay, Field{0, 1, "squared-norm penalty on all network weights"});
  visit(
      "start", o.start,
      Field{0, 0,
            "what is learnt on top of: bias = the item's shrunk mean (ratings), mean = the mean of all targets; als = "
            "bias, and embeddings of items begin as the factors of alternating least squares"});
  visit("identity", o.identity, Field{0, 1, "whether items have an embedding of their own beside their features"});
  visit("negatives", o.negatives, Field{1, 1000, "ranks: items drawn as rows without interest for every row"});
  visit("folds", o.folds, Field{2, 20, "folds of the cross-fit that stack and gate are fitted on"});
}

/// Fills in what 0 leaves open.
inline void set_epochs(EpisodicOptions& o, size_t tasks) {
  constexpr double kSteps = 3000, kFewest = 10, kMost = 200, kPatience = 0.2;
  const double steps = std::max(1.0, std::ceil(static_cast<double>(tasks) / o.batch_tasks));
  if (o.epochs == 0) o.epochs = static_cast<int>(std::clamp(kSteps / steps, kFewest, kMost));
  if (o.patience == 0) o.patience = std::max(3, static_cast<int>(kPatience * o.epochs));
}

}  // namespace fewshop
