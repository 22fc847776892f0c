#pragma once

#include <algorithm>
#include <cmath>
#include <string>

#include "core/options.h"

namespace fewshop {

/// Options of the learner `bayes` (docs/learners/bayes.md). No libtorch: the catalogue and validate read them.
struct BayesOptions {
  int d = 0;
  int epochs = 0;
  int patience = 0;
  int batch_tasks = 64;
  int query = 64;
  double lr = 0;
  double id_decay = 3e-4;
  double content_decay = 3e-4;
  double prior_decay = 1e-4;
  int negatives = 0;
  std::string start = "auto";
  int folds = 5;
};

template <class Visitor>
void fields(BayesOptions& o, Visitor&& visit) {
  visit("d", o.d, Field{0, 256, "size of item vectors and head; 0 = 16 for ratings (random starts: 24), 64 for ranks"});
  visit("epochs", o.epochs,
        Field{0, 10000, "passes over the training tasks at most; 0 = as many as make 1,200 outer steps, 20 to 300"});
  visit("patience", o.patience,
        Field{0, 1000, "epochs without a better meta-validation metric before training stops; 0 = a fifth of epochs"});
  visit("batch_tasks", o.batch_tasks, Field{1, 4096, "tasks of one outer step (meta-batch)"});
  visit("query", o.query, Field{1, 4096, "query rows of a training episode at most"});
  visit("lr", o.lr,
        Field{0, 100, "outer-loop step size (Adam), lowered to 0 along a cosine; 0 = 0.01, random starts 0.02"});
  visit("id_decay", o.id_decay,
        Field{0, 1, "squared-norm penalty on item embeddings: few rows leave an item at its content"});
  visit("content_decay", o.content_decay, Field{0, 1, "squared-norm penalty on content embeddings"});
  visit("prior_decay", o.prior_decay, Field{0, 1, "squared-norm penalty on the map from description to prior mean"});
  visit("negatives", o.negatives,
        Field{0, 1e6, "ranks: items sampled for the softmax; 0 = all up to 50,000 items, else 5,000"});
  visit(
      "start", o.start,
      Field{0, 0,
            "what item vectors begin as: random; als = as alternating least squares leaves them; auto = the better of "
            "the two on meta-validation tasks"});
  visit("folds", o.folds, Field{2, 20, "folds of the cross-fit that stack and gate are fitted on"});
}

/// Fills in what 0 leaves open of sizes, by start and kind of problem.
inline void set_sizes(BayesOptions& o, bool ranking) {
  const bool random = o.start == "random";
  if (o.d == 0) o.d = ranking ? 64 : random ? 24 : 16;
  if (o.lr == 0) o.lr = random ? 0.02 : 0.01;
}

/// Fills in what 0 leaves open. A few hundred tasks make few outer steps an epoch: such data needs more epochs, and
/// more of them to see that there is no progress.
inline void set_epochs(BayesOptions& o, size_t tasks) {
  constexpr double kSteps = 1200, kFewest = 20, kMost = 300, kPatience = 0.2;
  const double steps = std::max(1.0, std::ceil(static_cast<double>(tasks) / o.batch_tasks));
  if (o.epochs == 0) o.epochs = static_cast<int>(std::clamp(kSteps / steps, kFewest, kMost));
  if (o.patience == 0) o.patience = std::max(3, static_cast<int>(kPatience * o.epochs));
}

}  // namespace fewshop
