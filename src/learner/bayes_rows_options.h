#pragma once

#include "core/options.h"

namespace fewshop {

/// Options of the learner `bayes` for problems whose rows are features (docs/learners/bayes.md). No libtorch: the
/// catalogue and validate read them.
struct BayesRowsOptions {
  bool shared_classes = true;
  int newton_steps = 8;
};

template <class Visitor>
void fields(BayesRowsOptions& o, Visitor&& visit) {
  visit("shared_classes", o.shared_classes,
        Field{0, 1, "a class means the same in every task (a prior mean each); false = classes of a task's own"});
  visit("newton_steps", o.newton_steps, Field{1, 50, "Newton steps of targets that are not Gaussian"});
}

}  // namespace fewshop
