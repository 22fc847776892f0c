#pragma once

#include <memory>

#include "learner/baseline/row_baseline.h"

namespace fewshop {

class TensorFile;

/// Boosted trees over the rows of all tasks: row, item and task features, and the item's shrunken mean. They are walked
/// without XGBoost (runtime/tree_member.h).
const RowBaseline& xgboost_baseline();

/// The same trees, and for every task a few small ones more that are fitted to its support, from where the first leave
/// off. Fitting them needs XGBoost, so it is reported and never served.
const RowBaseline& xgboost_task_baseline();

/// Reads back what the member of xgboost_task_baseline has saved.
std::unique_ptr<RowMember> load_xgboost_task(const TensorFile& file);

}  // namespace fewshop
