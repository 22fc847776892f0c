#pragma once

#include <string>

#include "core/options.h"

namespace fewshop {

/// Options of the learner `reptile` (docs/learners/reptile.md). No libtorch: the catalogue and validate read them.
struct ReptileOptions {
  int steps = 5;
  double step_size = 0.05;
  int inner_batch = 10;
  std::string adapts = "decision";
  bool choose_steps = true;
  bool standardize = true;
};

template <class Visitor>
void fields(ReptileOptions& o, Visitor&& visit) {
  visit("steps", o.steps, Field{2, 100, "gradient steps on a task; with one step this would be joint training"});
  visit("step_size", o.step_size, Field{1e-6, 100, "inner-loop step size"});
  visit("inner_batch", o.inner_batch, Field{0, 1e6, "rows of a task drawn for each training step; 0 = all of them"});
  visit("adapts", o.adapts, Field{0, 0, "decision (dense layers, not embeddings) or all"});
  visit("choose_steps", o.choose_steps,
        Field{0, 1, "choose the number of steps that new tasks take, up to twice `steps`, on meta-validation tasks"});
  visit("standardize", o.standardize,
        Field{0, 1, "numbers as targets: whether the network predicts in units of their standard deviation"});
}

}  // namespace fewshop
