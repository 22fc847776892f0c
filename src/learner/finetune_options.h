#pragma once

#include <string>

#include "core/options.h"

namespace fewshop {

/// Options of the learner `finetune` (docs/learners/finetune.md).
struct FinetuneOptions {
  std::string adapts = "decision";
  int steps = 0;
  double rate = 0;
};

template <class Visitor>
void fields(FinetuneOptions& o, Visitor&& visit) {
  visit("adapts", o.adapts,
        Field{0, 1,
              "what a task has of its own: head, body (the dense layers before it), decision (both, not embeddings) or "
              "all"});
  visit("steps", o.steps, Field{0, 1000, "gradient steps on the support; 0 = chosen on meta-validation tasks"});
  visit("rate", o.rate, Field{0, 100, "step size; 0 = chosen on meta-validation tasks"});
}

}  // namespace fewshop
