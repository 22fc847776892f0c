#pragma once

#include <string>
#include <vector>

#include "core/random.h"
#include "learner/held_out.h"
#include "task/problem.h"

namespace fewshop {

// Which tasks members are fitted on while constants, weights and gate are chosen, and which are held out for that.
// docs/stack-and-gate.md has the rules; every trainer follows them.

inline constexpr size_t kSelectionTasks =
    500;                                      // meta-validation tasks that constants and epochs are chosen on, at most
inline constexpr size_t kWeightTasks = 3000;  // held-out tasks that weights and gate are fitted on, at most

/// At most so many of the tasks, in their order.
TaskSet draw_tasks(const TaskSet& tasks, size_t at_most, Random random);

/// At most so many of the episodes, in any order.
std::vector<HeldOutEpisode> draw_episodes(std::vector<HeldOutEpisode> episodes, size_t at_most, Random random);

/// Many meta-validation tasks are halved: one half stops and chooses, the other fits the rest.
bool halves_validation(const LoadedProblem& problem);

/// One half of the meta-validation tasks; a task value lands in one half, whatever its split value.
TaskSet validation_half(const LoadedProblem& problem, bool first);

/// Support sizes of the scenario's shots that are numbers.
std::vector<int> shot_sizes(const Scenario& scenario);

/// Tasks that are held out once, and tasks that members are fitted on when these are not among them.
///
/// With time cuts members end at the first cut, and what is asked for comes after it, for training tasks too: members
/// that have seen later rows would say nothing about what they are worth on later ones.
struct CrossFitTasks {
  TaskSet held_out, fitted;
};
CrossFitTasks cross_fit_tasks(const LoadedProblem& problem);

/// One of `count` folds (fewer where there are fewer task values): every task value of training and validation is held
/// out once. Folds in which nothing is left to fit or to ask are not among them.
struct TaskFold {
  int number = 0;
  TaskSet fit_on, held_out;
};
std::vector<TaskFold> task_folds(const LoadedProblem& problem, int count);

/// What the members that are served are fitted on: all training tasks, and the validation tasks too unless they were
/// halved (or come before the test tasks anyway).
TaskSet last_fit_tasks(const LoadedProblem& problem);

/// The mean metric over groups of support sizes, turned so that lower is better; sizes of few tasks are merged until
/// each group has a fair share. 0 where nothing was asked.
double mean_over_sizes(const Metric& metric, const std::map<int, Part>& by_size);

/// Names and defaults of all learners, as a fingerprint.
std::string catalogue_fingerprint();

}  // namespace fewshop
