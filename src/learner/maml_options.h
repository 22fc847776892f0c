#pragma once

#include <string>

#include "core/options.h"

namespace fewshop {

/// Options of the learner `maml` (docs/learners/maml.md). No libtorch: the catalogue and validate read them.
struct MamlOptions {
  int order = 2;
  int steps = 5;
  std::string adapts = "head";
  double step_size = 0.1;
  std::string step_sizes = "step";
  bool by_size = true;
  bool choose_steps = false;
  bool shared_head_row = false;
  bool standardize = true;
  std::string loss = "likelihood";
};

template <class Visitor>
void fields(MamlOptions& o, Visitor&& visit) {
  visit("order", o.order,
        Field{1, 2, "2: the outer gradient goes through the inner loop; 1: inner gradients are constants"});
  visit("steps", o.steps, Field{0, 100, "gradient steps on the support rows"});
  visit("adapts", o.adapts,
        Field{0, 0, "head (ANIL), body (BOIL), decision (MeLU: dense layers, not embeddings) or all"});
  visit("step_size", o.step_size, Field{1e-6, 100, "inner-loop step size, or where learned ones begin"});
  visit("step_sizes", o.step_sizes,
        Field{0, 0, "fixed, or learned: tensor (one per tensor), step (per step and tensor), coordinate (Meta-SGD)"});
  visit("by_size", o.by_size, Field{0, 1, "whether learned step sizes also depend on the number of support rows"});
  visit("choose_steps", o.choose_steps, Field{0, 1, "choose 1 to `steps` inner steps on meta-validation tasks"});
  visit("shared_head_row", o.shared_head_row,
        Field{0, 1, "multiclass: all classes begin with one row of the head, so that their order means nothing"});
  visit("standardize", o.standardize,
        Field{0, 1, "numbers as targets: whether the network predicts in units of their standard deviation"});
  visit("loss", o.loss,
        Field{0, 0,
              "numbers as targets: outer loss likelihood (-log p) or squared (squared error; noise fitted beside)"});
}

}  // namespace fewshop
