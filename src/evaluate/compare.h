#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "scenario/scenario.h"

namespace fewshop {

/// Learners trained and judged side by side: what `fewshop compare` does.
struct CompareRequest {
  Scenario scenario;
  std::string database;
  std::vector<std::string> learners;  // empty: the scenario's
  int seeds = 1;                      // every learner is trained that often, and the test tasks pooled
  uint64_t seed = 0;                  // of the first training
  int threads = 0;
  std::string folder;  // where models are kept, so that a compare that was interrupted goes on; "" = nowhere
};

/// {scenario, seeds, learners: {name: report}}, each report with
///
///   alone   what the learner itself answers, no gate, no stack: per split and shot {metrics, paired: {baseline: ...}},
///           paired = the learner minus that baseline
///   cost    {train_seconds, train_cpu_seconds, adapt_us, peak_bytes, bundle_bytes, state_size}: means over trainings;
///           adapt_us is one task by the learner alone, peak_bytes the process's memory while it trained, state_size
///           the numbers that a task's state holds (null where the learner does not tell)
///
/// With folds, every fold is trained and tested once per seed. The s-th seed trains with seed + s and, unless the
/// scenario's role column fixes the draw, splits by split.seed + s.
nlohmann::json compare(const CompareRequest& request);

/// The scenario once per fold (once where it has none); needs the database only for folds = "each".
std::vector<Scenario> fold_scenarios(const Scenario& scenario, const std::string& database);

}  // namespace fewshop
