#pragma once

#include <string>

#include "core/options.h"

namespace fewshop {

/// Options of the learner `learned-optimizer` (docs/learners/learned-optimizer.md).
struct LearnedOptimizerOptions {
  std::string adapts = "head";
  int steps = 10;
  int truncation = 5;
  int hidden = 16;
  int order = 1;
};

template <class Visitor>
void fields(LearnedOptimizerOptions& o, Visitor&& visit) {
  visit("adapts", o.adapts,
        Field{0, 1, "what a task has of its own: head, or decision (dense layers, not embeddings)"});
  visit("steps", o.steps, Field{0, 1000, "steps of the learned optimizer on the support"});
  visit("truncation", o.truncation, Field{1, 1000, "steps that the outer gradient passes through at a time"});
  visit("hidden", o.hidden, Field{1, 256, "size of each of the two LSTM layers, the same for every coordinate"});
  visit("order", o.order,
        Field{1, 2, "2: the outer gradient also passes through the support gradients; 1: as if they were constants"});
}

}  // namespace fewshop
