#pragma once

#include <string>

#include "feature/encoders.h"
#include "task/dataset.h"

namespace fewshop {

/// A scenario with its data in memory: everything a learner or an evaluation needs.
struct LoadedProblem {
  Scenario scenario;
  Dataset data;
  Partition partition;
  Encoders encoders;             // fitted vocabularies and scales
  std::string data_fingerprint;  // of the tables and options that the rows came from
};

/// Reads rows, items and task descriptions of a scenario from a database, splits them, fits the encoders on what may be
/// trained on (or uses `fitted`, a bundle's), and encodes. Encoded columns come from the memory-mapped cache beside the
/// database where it is up to date.
/// Throws InvalidInput with the column, table or SQL at fault.
LoadedProblem load_problem(const Scenario& scenario, const std::string& database, const Encoders* fitted = nullptr);

}  // namespace fewshop
