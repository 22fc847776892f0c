#pragma once

#include <optional>
#include <string>
#include <vector>

#include "runtime/model.h"
#include "task/dataset.h"

namespace fewshop {

/// What a bundle has to remember of its last fit: `tasks` begins with the tasks of `train`.
TrainedOn trained_on(const Dataset& data, int64_t events_through, const TaskSet& train, const TaskSet& tasks);

/// What came of a recount.
struct Recount {
  std::string obstacle;              // why nothing was counted anew, as a sentence; "" = it was
  std::vector<std::string> members;  // that were
  int64_t rows = 0;                  // that they count now
  int64_t trained_rows = 0;          // that the training counted
  bool changed = false;              // the bundle was written anew
  bool rows_missing = false;         // the obstacle is that more rows are gone than were removed

  /// Whether they count less than nine tenths of what the training counted.
  bool few() const { return static_cast<double>(rows) < 0.9 * static_cast<double>(trained_rows); }
};

/// Counts a bundle of a served shop anew, from the rows that are still held: what was forgotten since its training is
/// no part of it any more. global-mean, item-mean, bias, item-knn, popularity and session-knn are fitted again, with
/// the constants that the training chose, on the rows that it used and that are still in the database; the model's
/// counts of items follow. Everything else stays: weights, gate, factors, priors. The bundle is written in place of the
/// old one, in one step, and its manifest has "corrected": {members, rows}. To do it twice is to do it once.
///
/// `removed`: rows that the shop itself removed since the training, about: of forgotten users, by retention, with
/// items. What is left is counted, however little. Where more than a tenth of the trained rows is missing beside those,
/// it is another database, and what would be counted another model: that is an obstacle, as is a bundle that does not
/// remember what it was trained with, or one that predicts rows.
///
/// Throws InvalidInput for a damaged bundle or a database that lacks what the scenario reads, Failure.
Recount recount(const std::string& bundle, const std::string& database, int64_t removed);

/// Whether recount() counts a member of this name anew.
bool is_counted(std::string_view member);

}  // namespace fewshop
