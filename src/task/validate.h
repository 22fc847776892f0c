#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "task/problem.h"

namespace fewshop {

/// What was understood of a scenario and its data, as `fewshop validate --json` prints it:
///
///   scenario        with every default filled in        tasks      {train, valid, test, splits: {name: tasks}}
///   rows            rows in use                         row_counts what was read and what was left out
///   items           known items                         support    {min, median, max} groups, headline, test tasks
///   target          {min, max, mean, deviation, values: [{value, rows}]}; values where there are at most 20; of
///                   classes the values alone
///   features        [{name, type, vocabulary | width, missing, entities}]
///   defaults, notes, warnings [{code, message}], data_fingerprint
nlohmann::json validate_problem(const LoadedProblem& problem);

/// The same for people, several lines.
std::string validation_text(const nlohmann::json& report);

}  // namespace fewshop
