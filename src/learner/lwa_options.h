#pragma once

#include <string>

#include "core/options.h"

namespace fewshop {

/// Options of the learner `lwa` (docs/learners/lwa.md).
struct LwaOptions {
  int d = 16;
  std::string map = "matrix";
};

template <class Visitor>
void fields(LwaOptions& o, Visitor&& visit) {
  visit("d", o.d, Field{1, 1024, "size of embeddings and of a task's weights"});
  visit("map", o.map,
        Field{0, 1, "from class aggregates to weights: matrix, or scalar (one number a class, as in the paper)"});
}

}  // namespace fewshop
