#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "learner/row_fit.h"

namespace fewshop {

/// One constant of a baseline and the values to choose between on meta-validation tasks, the usual one first.
struct Candidates {
  std::string name;
  std::vector<nlohmann::json> values;
};

/// Fits of one baseline on the same rows with different constants; keeps what they share.
class RowBaselineFit {
 public:
  virtual ~RowBaselineFit() = default;
  /// `chosen` holds the constants; a fit may add what it found out itself and a later fit is to repeat.
  virtual std::unique_ptr<RowMember> fit(nlohmann::json& chosen) = 0;
};

/// A simple method for problems that ask about rows.
class RowBaseline {
 public:
  virtual ~RowBaseline() = default;
  virtual std::string_view name() const = 0;
  /// Whether it can be used: most fit some kinds of targets, and some need items.
  virtual bool fits(const Scenario& scenario) const = 0;
  virtual bool has_runtime_form() const { return true; }
  /// What is chosen: each constant in turn over its values, with the others as they are. Empty = nothing.
  virtual std::vector<Candidates> candidates() const = 0;
  virtual std::unique_ptr<RowBaselineFit> prepare(const RowFitInput& input) const = 0;
};

/// A baseline as a learner: `fixed` constants are not chosen (an object, as in [learner]).
std::unique_ptr<RowLearner> make_row_baseline_learner(const RowBaseline& baseline, nlohmann::json fixed);

/// Baselines that need no library of training; nullptr for an unknown name.
const RowBaseline* find_row_baseline(const std::string& name);

// One instance each, in the order of reports.
const RowBaseline& majority_baseline();
const RowBaseline& row_global_mean_baseline();
const RowBaseline& row_item_mean_baseline();
const RowBaseline& task_mean_baseline();
const RowBaseline& pooled_linear_baseline();
const RowBaseline& pooled_logistic_baseline();
const RowBaseline& task_linear_baseline();
const RowBaseline& task_logistic_baseline();

}  // namespace fewshop
