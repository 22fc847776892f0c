#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "evaluate/outcome.h"
#include "evaluate/prediction_file.h"
#include "scenario/scenario.h"
#include "task/problem.h"

namespace fewshop {

// Anybody's predictions, judged on the same tasks, rows, baselines and intervals as our own. docs/evaluation.md has the
// two files.

/// Writes what is needed to predict into a folder (made where absent): rows.csv with support and query rows of every
/// test task at every number of examples, train.csv with the rows that may be learnt from. The targets of query rows
/// (in ranking problems their items) are left out.
void export_rows(const Scenario& scenario, const std::string& database, const std::string& folder);

struct ScoreRequest {
  Scenario scenario;
  std::string database;
  std::string predictions;  // file
  uint64_t seed = 0;
  int threads = 0;
};

/// The report of the predictions in a file beside the baselines, which are trained for it. The predictions stand where
/// other reports have the served answers ("method": "predictions").
/// Throws InvalidInput naming the row for one that is missing, there twice, not asked for, or no finite number.
nlohmann::json score_predictions(const ScoreRequest& request);

/// Puts the predictions of a file in place of the served and adapted answers that a model gave to a problem's test
/// tasks. Throws as score_predictions.
void replace_answers(PredictionFile& file, const LoadedProblem& problem, Outcomes& outcomes);

}  // namespace fewshop
