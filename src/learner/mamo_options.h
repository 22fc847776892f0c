#pragma once

#include <string>

#include "core/options.h"

namespace fewshop {

/// Options of the learner `mamo` (docs/learners/mamo.md).
struct MamoOptions {
  int memories = 8;
  int profile = 16;
  std::string adapts = "decision";
  int steps = 3;
  double rate = 0.05;
  int order = 2;
  double write = 0;
};

template <class Visitor>
void fields(MamoOptions& o, Visitor&& visit) {
  visit("memories", o.memories, Field{1, 1024, "slots of the memories"});
  visit("profile", o.profile, Field{1, 256, "size of the vector of what describes a task"});
  visit("adapts", o.adapts,
        Field{0, 1, "what a task has of its own: head, decision (dense layers, not embeddings) or all"});
  visit("steps", o.steps, Field{0, 100, "gradient steps on the support"});
  visit("rate", o.rate, Field{1e-6, 10, "step size to begin with; it is learned"});
  visit("order", o.order, Field{1, 2, "2: the outer gradient passes through the steps; 1: the steps are constants"});
  visit("write", o.write,
        Field{0, 100, "weight of the paper's write rule in the outer loss; 0 = memories learned by query loss alone"});
}

}  // namespace fewshop
