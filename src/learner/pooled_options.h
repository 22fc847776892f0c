#pragma once

#include "core/options.h"

namespace fewshop {

/// Options of the learner `pooled` (docs/learners/pooled.md): none of its own.
struct PooledOptions {};

template <class Visitor>
void fields(PooledOptions& /*o*/, Visitor&& /*visit*/) {}

}  // namespace fewshop
