#pragma once

#include "task/dataset.h"

namespace fewshop {

/// Splits the tasks of ordered rows as [split] and [episode] say; docs/tasks-and-episodes.md has the rules. Everything
/// that is drawn follows split.seed and task values only. Throws InvalidInput where a listed split value does not
/// occur.
Partition make_partition(const Dataset& data, const Scenario& scenario);

}  // namespace fewshop
