#pragma once

#include "learner/baseline/baseline.h"

namespace fewshop {

// One function per baseline, for the table in baseline.cpp. item-knn and als are one method for each problem.
const Baseline& global_mean_baseline();
const Baseline& item_mean_baseline();
const Baseline& bias_baseline();
const Baseline& item_knn_baseline();
const Baseline& als_baseline();
const Baseline& popularity_baseline();
const Baseline& ease_baseline();
const Baseline& session_knn_baseline();

}  // namespace fewshop
