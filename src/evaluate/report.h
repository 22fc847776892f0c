#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "evaluate/bootstrap.h"
#include "evaluate/outcome.h"

namespace fewshop {

/// The object that `evaluate --json` prints; docs/evaluation.md describes every key. Undefined figures are null.
/// Throws InvalidInput for an unknown metric.
nlohmann::json report(const Outcomes& outcomes, const BootstrapOptions& options = {});

/// Several runs (seeds, folds) as one: tasks of equal splits and shots side by side. Equal unit numbers mean equal task
/// values, so that intervals stay intervals over distinct task values however often one was drawn.
/// Throws InvalidInput unless all runs report the same problem, metrics and methods.
Outcomes pool(std::vector<Outcomes> runs);

}  // namespace fewshop
