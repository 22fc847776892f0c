#pragma once

#include <cstdint>
#include <string>

#include "feature/encoders.h"
#include "task/dataset.h"

namespace fewshop {

/// What became of the rows that were read; for validate.
struct RowCounts {
  int64_t read = 0;
  int64_t missing_task = 0, missing_item = 0, missing_target = 0, missing_time = 0, missing_split = 0;
  int64_t not_positive = 0;    // dropped by `positive`, or without evidence (a ranking target of 0 or less)
  int64_t unknown_class = 0;   // a label that is none of the scenario's classes
  int64_t missing_weight = 0;  // taken as 1
  int64_t backwards = 0;       // stand behind a later row of the same task in the table
};

/// A scenario with its data in memory: everything a learner or an evaluation needs.
struct LoadedProblem {
  Scenario scenario;
  Dataset data;
  Partition partition;
  Encoders encoders;             // fitted vocabularies and scales
  std::string data_fingerprint;  // of the tables and options that the rows came from
  RowCounts row_counts;
  int64_t events_through = -1;  // rows of the table `events` after this one were not read (StoreOptions)
};

/// Reads rows, items and task descriptions of a scenario from a database, splits them, fits the encoders on what may be
/// trained on (or uses `fitted`, a bundle's), and encodes. Encoded columns come from the memory-mapped cache beside the
/// database where it is up to date.
/// Throws InvalidInput with the column, table or SQL at fault.
LoadedProblem load_problem(const Scenario& scenario, const std::string& database, const Encoders* fitted = nullptr);

/// Removes that cache: it holds columns of people. Who is reading a file of it goes on.
void remove_column_cache(const std::string& database);

}  // namespace fewshop
