#pragma once

#include <nlohmann/json.hpp>

#include "evaluate/outcomes.h"
#include "evaluate/report.h"

namespace fewshop {

/// A report as `compare` has it, of a learner that answers by itself as it is served.
inline nlohmann::json compared(const Outcomes& outcomes, double train_seconds) {
  nlohmann::json object = report(outcomes);
  object["alone"] = object["splits"];
  object["cost"] = {{"train_seconds", train_seconds},
                    {"adapt_us", 12.5},
                    {"peak_bytes", 3 << 20},
                    {"bundle_bytes", 1 << 19},
                    {"state_size", nullptr}};
  return object;
}

/// Two learners on the same made-up ratings: one misses by 0.4, one by 0.9, their baseline by 1.
inline nlohmann::json two_learners() {
  return {
      {"scenario", "made-up"},
      {"learners",
       {{"bayes", compared(made_up_ratings(40, 0.4, 1), 8)}, {"maml", compared(made_up_ratings(40, 0.9, 1), 120)}}}};
}

}  // namespace fewshop
