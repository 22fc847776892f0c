#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace fewshop {

/// Two models of one scenario on the same test tasks: those of the candidate's scenario, each method's answers paired
/// task by task.
///
///     {"scenario", "metric", "verdict", "splits": {NAME: {"tasks", "candidate", "running", "difference"}}}
///
/// Figures are {value, low, high}, `difference` is candidate minus running (95 %, bootstrap over tasks). `verdict` is
/// "better", "worse", "undecided", "same", or "unknown" (too few tasks for an interval); with several splits the worst
/// of theirs counts, in the order worse, unknown, undecided, same, better.
///
/// The database may change meanwhile: tasks that both did not meet alike are left out. Throws InvalidInput for damaged
/// bundles, other data, or models of different problems.
nlohmann::json compare_bundles(const std::string& candidate, const std::string& running, const std::string& database,
                               int threads);

}  // namespace fewshop
