#include "learner/budget.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/options.h"
#include "learner/bayes_options.h"
#include "learner/catalogue.h"

namespace fewshop {
namespace {

// CPU seconds of one core; those of epochs so that a training of 3,900 items took 0.4 of what is expected on a fast
// machine, 0.8 on one half as fast.
constexpr double kPerItemOfSoftmax = 6.6e-8;  // ranks: a task and an item of its softmax, d = 64
constexpr double kPerTask = 1.2e-4;           // ranks: a task of an epoch beside its softmax
constexpr double kPerRow = 5e-7;              // ratings: a row of an epoch, baselines included
constexpr double kPerCubedItem = 2e-11;       // ranks: one inverse of EASE
constexpr double kPerItem = 2e-3;             // ranks: fits of the other baselines, stack and gate

constexpr int64_t kEaseItems = 20'000, kEaseGridItems = 8'000, kFullSoftmax = 50'000, kDefaultNegatives = 5'000;

BayesOptions options_of(const Scenario& scenario, const ProblemSize& size) {
  BayesOptions options;
  set_fields(options, scenario.learner_options, "learner");
  set_epochs(options, static_cast<size_t>(size.tasks));
  return options;
}

std::vector<std::string> baselines_of(const Scenario& scenario) {
  return scenario.baselines.empty() ? default_baselines(scenario) : scenario.baselines;
}

bool has_ease(const Scenario& scenario) {
  const auto names = baselines_of(scenario);
  return std::find(names.begin(), names.end(), "ease") != names.end();
}

}  // namespace

double expected_seconds(const Scenario& scenario, const ProblemSize& size) {
  const BayesOptions options = options_of(scenario, size);
  // Fits to choose (of both starts), one per fold, a last one.
  const double fits = options.folds + (options.start == "auto" ? 3 : 2);
  const auto tasks = static_cast<double>(size.tasks);
  if (scenario.problem == Problem::kRating) return static_cast<double>(size.rows) * options.epochs * fits * kPerRow;
  const int64_t sampled = options.negatives > 0        ? options.negatives
                          : size.items <= kFullSoftmax ? size.items
                                                       : kDefaultNegatives;
  const double width = options.d > 0 ? options.d / 64.0 : 1;
  double seconds = fits * options.epochs * tasks *
                   (kPerTask + kPerItemOfSoftmax * width * static_cast<double>(std::min(sampled, size.items)));
  seconds += kPerItem * static_cast<double>(size.items);
  if (has_ease(scenario)) {
    const auto items = static_cast<double>(std::min(size.items, kEaseItems));
    seconds += kPerCubedItem * items * items * items * (fits + (items <= kEaseGridItems ? 2 : 0));
  }
  return seconds;
}

Budget fit_budget(Scenario& scenario, const ProblemSize& size) {
  Budget budget;
  const auto fits = [&] {
    budget.seconds = expected_seconds(scenario, size);
    return budget.seconds <= kBudgetSeconds;
  };
  const bool ranking = scenario.problem == Problem::kRanking;
  const nlohmann::json given = scenario.learner_options;
  const auto lower = [&](const char* option, int value, const std::string& what) {
    if (fits() || given.contains(option)) return;
    if (option == std::string_view("epochs") && value >= options_of(scenario, size).epochs) return;
    const auto before = scenario.learner_options;
    const double seconds = budget.seconds;
    scenario.learner_options[option] = value;
    // A change that hardly saves anything is not worth what it costs.
    if (expected_seconds(scenario, size) > 0.98 * seconds) {
      scenario.learner_options = before;
      return;
    }
    std::erase_if(budget.changes, [&](const auto& change) { return change.starts_with(option); });
    budget.changes.push_back(fmt::format("{} = {}{}", option, value, what));
  };
  const BayesOptions usual = options_of(scenario, size);
  const std::string folds = fmt::format(" instead of {}", usual.folds),
                    epochs = fmt::format(" instead of {}", usual.epochs);
  if (scenario.learner == "bayes") {
    lower("folds", 3, folds);
    if (ranking && size.items > 2000) lower("negatives", 2000, " items in the softmax instead of all");
  }
  // EASE alone may take longer than everything else together.
  if (ranking && has_ease(scenario) && scenario.baselines.empty() && !fits()) {
    Scenario without = scenario;
    without.baselines = baselines_of(scenario);
    std::erase(without.baselines, "ease");
    if (expected_seconds(without, size) < 0.7 * budget.seconds) {
      scenario.baselines = without.baselines;
      budget.left_out = "ease";
      budget.changes.push_back(
          fmt::format("the baseline ease is left out: with {} items its matrices take too long", size.items));
    }
  }
  if (scenario.learner == "bayes") {
    lower("epochs", 10, epochs);
    lower("folds", 2, folds);
    if (ranking && size.items > 500) lower("negatives", 500, " items in the softmax instead of all");
    lower("epochs", 5, epochs);
    lower("epochs", 3, epochs);
  }
  budget.within = fits();
  return budget;
}

}  // namespace fewshop
