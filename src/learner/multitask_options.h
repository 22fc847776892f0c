#pragma once

#include "core/options.h"

namespace fewshop {

/// Options of the learner `multitask` (docs/learners/multitask.md).
struct MultitaskOptions {
  double shrinkage = 1;
  double spread = 0;
};

template <class Visitor>
void fields(MultitaskOptions& o, Visitor&& visit) {
  visit("shrinkage", o.shrinkage, Field{0, 1e6, "precision with which heads of training tasks are held at their mean"});
  visit("spread", o.spread,
        Field{0, 1e6,
              "factor on the covariance of the trained heads, where new tasks start; 0 = chosen on "
              "meta-validation tasks"});
}

}  // namespace fewshop
