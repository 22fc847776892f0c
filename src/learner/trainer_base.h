#pragma once

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/cancel.h"
#include "core/error.h"
#include "core/progress.h"
#include "core/random.h"
#include "core/time.h"
#include "learner/fit.h"
#include "learner/training.h"
#include "learner/work_folder.h"
#include "task/problem.h"

namespace fewshop::learning {

/// What trainings of items and of rows have in common: the problem, the folder of what an interrupted one has left, one
/// fit of every learner, what the bundle and the result say of it.
class TrainerBase {
 public:
  const LoadedProblem& problem() const { return problem_; }
  void remove_work_folder() const { work_->remove(); }

  /// Time, processor time and memory since the training began, for the bundle.
  nlohmann::json costs() const;
  /// What `fewshop train --json` prints. `run`: costs() when the model was complete.
  TrainResult result(const nlohmann::json& run, const std::string& best_baseline) const;

 protected:
  /// Loads the problem. Throws InvalidInput where it has no tasks to train or to validate on.
  explicit TrainerBase(const TrainRequest& request);

  /// Runs `fit_all` with the work folder open.
  template <class FitAll>
  auto with_work_folder(FitAll&& fit_all);

  /// One fit of every learner: `read_back(chosen)`, of an interrupted training, for the learner proper; else
  /// `fit(m, run)`, and `keep(member)` for the learner proper. Baselines are soon fitted again.
  template <class AnyMember, class AnyLearner, class ReadBack, class Fit, class Keep>
  std::vector<std::unique_ptr<AnyMember>> fit_each(const std::vector<std::unique_ptr<AnyLearner>>& learners,
                                                   const std::string& stage, ReadBack&& read_back, Fit&& fit,
                                                   Keep&& keep);

  bool is_proper(size_t m) const { return has_learner_ && m + 1 == chosen_.size(); }
  bool weighted() const { return has_learner_ && (scenario_.stack || scenario_.gate); }

  /// Meta-validation tasks that constants and epochs are chosen on.
  TaskSet selection_tasks() const;

  template <class AnyLearner>
  void name_constants(const std::vector<std::unique_ptr<AnyLearner>>& learners) {
    for (size_t m = 0; m < learners.size(); ++m) constants_[std::string(learners[m]->name())] = chosen_[m];
  }
  /// Of the bundle. After name_constants, and when valid_ is known.
  nlohmann::json manifest() const;

  const TrainRequest& request_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  const double cpu_start_;
  const Micros data_read_ = system_time();
  LoadedProblem problem_;
  const Dataset& data_;
  const Scenario& scenario_;
  Metric metric_;
  int threads_;
  Random random_;
  bool has_learner_;
  std::optional<WorkFolder> work_;      // from the first fit on
  std::vector<nlohmann::json> chosen_;  // [learners] constants, epochs
  std::vector<int> sizes_;              // of support, that weights and gate are fitted for
  nlohmann::json valid_;                // what is reported of validation

 private:
  std::string work_key() const;

  nlohmann::json constants_ = nlohmann::json::object();
};

template <class FitAll>
auto TrainerBase::with_work_folder(FitAll&& fit_all) {
  work_.emplace(request_.out, work_key());
  try {
    return fit_all();
  } catch (const InvalidInput&) {
    work_->remove();  // the same input would fail again
    throw;
  }
}

template <class AnyMember, class AnyLearner, class ReadBack, class Fit, class Keep>
std::vector<std::unique_ptr<AnyMember>> TrainerBase::fit_each(const std::vector<std::unique_ptr<AnyLearner>>& learners,
                                                              const std::string& stage, ReadBack&& read_back, Fit&& fit,
                                                              Keep&& keep) {
  std::vector<std::unique_ptr<AnyMember>> members;
  std::optional<Progress> bar(std::in_place, "baselines, " + stage, std::ssize(scenario_.baselines));
  for (size_t m = 0; m < learners.size(); ++m) {
    const std::string name(learners[m]->name());
    const bool proper = is_proper(m);
    if (proper) bar.reset();  // it has a bar of its own
    auto member = proper ? read_back(chosen_[m]) : nullptr;
    if (!member) {
      member = fit(m, Run{request_.seed, threads_, proper ? work_->checkpoint(stage) : "", name + ", " + stage});
      if (proper) keep(*member);
    }
    members.push_back(std::move(member));
    if (bar) bar->advance(1, name);
    check_cancelled();
  }
  return members;
}

}  // namespace fewshop::learning
