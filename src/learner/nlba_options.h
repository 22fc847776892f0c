#pragma once

#include "core/options.h"

namespace fewshop {

/// Options of the learner `nlba` (docs/learners/nlba.md).
struct NlbaOptions {
  int d = 16;
  int hidden = 32;
};

template <class Visitor>
void fields(NlbaOptions& o, Visitor&& visit) {
  visit("d", o.d, Field{1, 1024, "size of embeddings"});
  visit("hidden", o.hidden, Field{1, 1024, "units whose biases depend on the task"});
}

}  // namespace fewshop
