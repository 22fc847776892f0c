#include "bundle/tensor_file.h"
#include "core/error.h"
#include "learner/baseline/row_baseline.h"
#include "learner/baseline/xgboost_baseline.h"
#include "learner/catalogue.h"
#include "learner/episodic_row_learner.h"
#include "learner/episodic_row_member.h"
#include "learner/row_train.h"
#include "runtime/members.h"

namespace fewshop::learning {

std::unique_ptr<RowLearner> make_row_learner(const std::string& name, const nlohmann::json& options,
                                             const nlohmann::json& encoder) {
  if (!find_learner(name).episodic.empty()) return make_episodic_row_learner(name, options, encoder);
  if (const RowBaseline* baseline = find_row_baseline(name)) return make_row_baseline_learner(*baseline, options);
  for (const RowBaseline* baseline : {&xgboost_baseline(), &xgboost_task_baseline()})
    if (baseline->name() == name) return make_row_baseline_learner(*baseline, options);
  throw InvalidInput("learner: '" + name +
                     "' cannot be trained on a problem that asks about rows; see `fewshop learners`");
}

std::unique_ptr<RowMember> load_training_row_member(const TensorFile& file) {
  const std::string& kind = file.text("kind");
  if (kind == "xgboost-task") return load_xgboost_task(file);
  return kind == kTrainingKind ? EpisodicRowMember::load(file) : nullptr;
}

}  // namespace fewshop::learning
