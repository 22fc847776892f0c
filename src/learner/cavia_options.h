#pragma once

#include <string>

#include "core/options.h"

namespace fewshop {

/// Options of the learner `cavia` (docs/learners/cavia.md). No libtorch: the catalogue and validate read them.
struct CaviaOptions {
  int context = 8;
  std::string context_in = "concatenated";
  int order = 2;
  int steps = 2;
  double step_size = 1;
  std::string step_sizes = "step";
  bool by_size = true;
  bool choose_steps = false;
  bool standardize = true;
};

template <class Visitor>
void fields(CaviaOptions& o, Visitor&& visit) {
  visit("context", o.context, Field{1, 50, "numbers that adapt: the state of a task"});
  visit(
      "context_in", o.context_in,
      Field{0, 0,
            "concatenated: to the inputs of the first dense layer; multiplicative: scales and shifts features (FiLM)"});
  visit("order", o.order,
        Field{1, 2, "2: the outer gradient goes through the inner loop; 1: inner gradients are constants"});
  visit("steps", o.steps, Field{0, 100, "gradient steps on the support rows"});
  visit("step_size", o.step_size, Field{1e-6, 100, "inner-loop step size, or where learned ones begin"});
  visit(
      "step_sizes", o.step_sizes,
      Field{0, 0, "fixed, or learned: tensor (one), step (one per step), coordinate (one per number of the context)"});
  visit("by_size", o.by_size, Field{0, 1, "whether learned step sizes also depend on the number of support rows"});
  visit("choose_steps", o.choose_steps, Field{0, 1, "choose 1 to `steps` inner steps on meta-validation tasks"});
  visit("standardize", o.standardize,
        Field{0, 1, "numbers as targets: whether the network predicts in units of their standard deviation"});
}

}  // namespace fewshop
