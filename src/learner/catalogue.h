#pragma once

#include <algorithm>
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
  std::vector<Problem> episodic = {};  // problems in which it trains a network by episodes: takes [learner.encoder]
  std::vector<FieldInfo> row_options = {};  // its options in problems that ask about rows, where they are others

  bool trains_network(Problem problem) const {
    return std::find(episodic.begin(), episodic.end(), problem) != episodic.end();
  }
  const std::vector<FieldInfo>& options_for(Problem problem) const {
    return is_row_problem(problem) && !row_options.empty() ? row_options : options;
  }
  /// Those of all problems, each name once.
  std::vector<FieldInfo> all_options() const;
};

const std::vector<LearnerInfo>& learners();

/// Throws InvalidInput naming the known ones.
const LearnerInfo& find_learner(const std::string& name);

/// Names of the baselines that fit a scenario, in the order of reports.
std::vector<std::string> default_baselines(const Scenario& scenario);

/// Whether rows must be of items, also in a problem that does not ask for that.
bool needs_items(const LearnerInfo& learner);

}  // namespace fewshop
