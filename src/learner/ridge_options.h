#pragma once

#include "core/options.h"

namespace fewshop {

/// Options of the learner `ridge` (docs/learners/ridge.md). No libtorch: the catalogue and validate read them.
struct RidgeOptions {
  bool shared_classes = true;
  bool constant = true;
};

template <class Visitor>
void fields(RidgeOptions& o, Visitor&& visit) {
  visit("shared_classes", o.shared_classes,
        Field{0, 1, "a class means the same in every task (a bias each); false = classes of a task's own"});
  visit("constant", o.constant, Field{0, 1, "a constant beside the features: the task's own offset"});
}

}  // namespace fewshop
