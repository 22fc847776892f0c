#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "scenario/scenario.h"

namespace fewshop {

/// What the time of a training depends on.
struct ProblemSize {
  int64_t rows = 0;   // of training tasks
  int64_t tasks = 0;  // for training
  int64_t items = 0;
};

/// What `fewshop try` changes of a scenario so that its training ends within two minutes.
struct Budget {
  double seconds = 0;                // CPU seconds expected of the training, as changed
  bool within = true;                // false: too long even so; what is cheapest is chosen
  std::vector<std::string> changes;  // one sentence each, for the user
  std::string left_out;              // a baseline that is not compared with; "" = none
};

/// CPU seconds that `try` grants a training: two minutes on two cores are twice as many, and half are kept for reading
/// the file, evaluating, and slower machines.
inline constexpr double kBudgetSeconds = 120;

/// CPU seconds that training a scenario is expected to take, from measurements (docs/command-line.md).
double expected_seconds(const Scenario& scenario, const ProblemSize& size);

/// Lowers what costs most until the training fits: folds of the cross-fit, epochs, sampled items of the softmax, and at
/// last the baseline whose cost grows with the cube of the number of items. Nothing that the scenario's file sets is
/// changed.
Budget fit_budget(Scenario& scenario, const ProblemSize& size);

}  // namespace fewshop
