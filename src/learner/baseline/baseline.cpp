#include "learner/baseline/baseline.h"

#include "learner/baseline/baselines.h"

namespace fewshop {

const Baseline* find_baseline(const std::string& name) {
  for (const Baseline* baseline :
       {&global_mean_baseline(), &item_mean_baseline(), &bias_baseline(), &item_knn_baseline(), &als_baseline(),
        &popularity_baseline(), &ease_baseline(), &session_knn_baseline()})
    if (baseline->name() == name) return baseline;
  return nullptr;
}

}  // namespace fewshop
