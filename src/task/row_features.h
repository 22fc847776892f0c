#pragma once

#include <string>
#include <vector>

#include "feature/encode.h"
#include "scenario/scenario.h"
#include "store/store.h"

namespace fewshop {

/// Columns of [rows] that say something else than what a row is like: task, target, item, time, event, weight, split,
/// ties, role. They are features only where [features] lists them under rows.
std::vector<std::string> standing_columns(const Scenario& scenario);

/// The feature columns of [rows]: those that the scenario lists as rows.COLUMN, and every other column that is no
/// standing one with a default type, as for items. `source` [R] is the position of each row in the result of [rows];
/// values[r] belongs to row r. Reads [rows] once more.
std::vector<RawColumn> read_row_features(Store& store, const Scenario& scenario, const std::vector<int64_t>& source,
                                         std::vector<std::string>& notes);

}  // namespace fewshop
