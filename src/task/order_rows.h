#pragma once

#include "task/dataset.h"
#include "task/raw_rows.h"

namespace fewshop {

/// Puts rows into the order of Dataset: tasks by (split value, task value) as bytes, so that nothing depends on the
/// order of the table; within a task groups by role (support, query, none), then by the time of their first row, or in
/// the random order that split.seed and the task's own values give. Rows of a group follow time, then the table (by
/// time), or item and target (random). Features are left empty. Takes the texts out of `rows`.
Dataset order_rows(RawRows&& rows, const Scenario& scenario);

}  // namespace fewshop
