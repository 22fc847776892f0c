#include "bundle/tensor_file.h"
#include "core/error.h"
#include "learner/baseline/row_baseline.h"
#include "learner/baseline/xgboost_baseline.h"
#include "learner/row_train.h"

namespace fewshop::learning {

std::unique_ptr<RowLearner> make_row_learner(const std::string& name, const nlohmann::json& options) {
  if (const RowBaseline* baseline = find_row_baseline(name)) return make_row_baseline_learner(*baseline, options);
  for (const RowBaseline* baseline : {&xgboost_baseline(), &xgboost_task_baseline()})
    if (baseline->name() == name) return make_row_baseline_learner(*baseline, options);
  throw InvalidInput("learner: '" + name +
                     "' cannot be trained on a problem that asks about rows; see `fewshop learners`");
}

std::unique_ptr<RowMember> load_training_row_member(const TensorFile& file) {
  return file.text("kind") == "xgboost-task" ? load_xgboost_task(file) : nullptr;
}

}  // namespace fewshop::learning
