#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "scenario/scenario.h"

namespace fewshop {

/// Rows in compressed form as XGBoost takes them; inputs that a row does not have are missing.
struct BoostRows {
  std::vector<uint64_t> begin{0};  // [R + 1]
  std::vector<uint32_t> column;
  std::vector<float> value;
  std::vector<float> target, weight;  // [R]
  std::vector<float> margin;          // [R, C] what is added to the leaves
  int64_t columns = 0;
};

struct BoostOptions {
  int max_depth = 6;
  double learning_rate = 0.1;
  double min_child_weight = 5;
  int rounds = 100;
  int patience = 20;  // with held-out rows: rounds without gain after which it stops
  int threads = 1;
  uint64_t seed = 0;
};

/// What came of a fit.
struct Boosted {
  std::string json;  // XGBoost's own; runtime/trees.h reads it
  int rounds = 0;    // trees for each class; with held-out rows the best number of them
};

/// Boosted trees for a row problem's target: logistic (binary), softmax (multiclass, ordinal, taken as unordered),
/// squared error (regression), poisson (count). With `held_out` rows the fit stops where their loss no longer falls.
/// The same input gives the same bytes. Throws Failure with what XGBoost says.
/// Chen, Guestrin. "XGBoost: A scalable tree boosting system." KDD 2016.
Boosted boost(Problem problem, size_t classes, const BoostRows& rows, const BoostRows* held_out,
              const BoostOptions& options);

}  // namespace fewshop
