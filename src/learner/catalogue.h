#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/options.h"
#include "scenario/scenario.h"

namespace fewshop {

/// One learner or baseline, as --help, `learners`, validate, the server and the docs read it. No libtorch.
struct LearnerInfo {
  std::string name, summary, paper;
  std::vector<Problem> problems;
  bool baseline = false;
  std::vector<FieldInfo> options;
};

const std::vector<LearnerInfo>& learners();

/// Throws InvalidInput naming the known ones.
const LearnerInfo& find_learner(const std::string& name);

/// Names of the baselines that fit a scenario, in the order of reports.
std::vector<std::string> default_baselines(const Scenario& scenario);

/// Whether rows must be of items, also in a problem that does not ask for that.
bool needs_items(const LearnerInfo& learner);

}  // namespace fewshop
