#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/predictive.h"
#include "scenario/scenario.h"

namespace fewshop {

/// What one method answered for one task at one support size, Q query rows.
struct Answer {
  std::vector<float> score = {};            // [Q] predicted value (rating) or score (ranking)
  std::vector<float> variance = {};         // [Q] predictive variance, empty where the method states none
  std::vector<int32_t> rank = {};           // [Q] ranking: 0-based among the candidates, ties by a seeded permutation
  std::vector<Predictive> predictive = {};  // [Q] problems that ask about rows, which have nothing else
};

/// One task at one support size: what was true, and what every method answered.
struct TaskOutcome {
  int32_t unit = 0;              // bootstrap unit: number of the distinct task value (not of the split)
  uint64_t tie_seed = 0;         // of the permutation that breaks ties in targets and scores of this task
  int32_t support = 0;           // support rows
  int32_t candidates = 0;        // ranking: items that were ranked
  std::vector<float> target;     // [Q]
  std::vector<uint8_t> cold;     // [Q] 1 = the query item was not seen in training
  std::vector<uint8_t> adapted;  // [Q] 1 = the served answer is the adapted one
  std::vector<Answer>
      answers;  // by method: served, adapted, then the baselines in order (and the learner, RunOptions::alone)
};

/// One point of the curve; label "headline" for the headline metrics, else "0", "5", "80%".
struct ShotOutcome {
  std::string label;
  std::vector<TaskOutcome> tasks;
};

struct SplitOutcome {
  std::string name;
  ShotOutcome headline;
  std::vector<ShotOutcome> shots;
};

struct Timing {
  double train_seconds = 0, adapt_us_p50 = 0, adapt_us_p99 = 0, predict_us = 0;
  double learner_adapt_us = 0;  // median of the learner by itself; 0 = there is none, or it was not asked for
};

/// Everything a report is made from.
struct Outcomes {
  Problem problem = Problem::kRating;
  std::string scenario;
  std::vector<std::string> metrics;  // the first is the primary one
  bool items = true;                 // rows are of items: whether training has seen them is told apart
  std::vector<std::string> methods;  // "served", "adapted", then baselines
  std::string best_baseline;         // chosen on validation
  std::vector<SplitOutcome> splits;
  Timing timing;
};

}  // namespace fewshop
