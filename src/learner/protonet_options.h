#pragma once

#include "core/options.h"

namespace fewshop {

/// Options of the learner `protonet` (docs/learners/protonet.md). No libtorch: the catalogue and validate read them.
struct ProtonetOptions {
  bool shared_classes = true;
  bool class_prior = true;
};

template <class Visitor>
void fields(ProtonetOptions& o, Visitor&& visit) {
  visit("shared_classes", o.shared_classes,
        Field{0, 1, "a class means the same in every task (a prior prototype each); false = classes of a task's own"});
  visit("class_prior", o.class_prior, Field{0, 1, "classes that are frequent in the support are likelier"});
}

}  // namespace fewshop
