#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "evaluate/outcome.h"
#include "evaluate/run_model.h"
#include "scenario/scenario.h"
#include "task/problem.h"

namespace fewshop {

/// A bundle of any problem asked about the test tasks of a database.
struct BundleRun {
  LoadedProblem problem;
  Outcomes outcomes;
  bool same_data = true;  // the data is what the model was trained on
};
BundleRun run_bundle(const std::string& folder, const std::string& database, const RunOptions& options);

/// A bundle judged on the test tasks of a database: what `fewshop evaluate` does.
struct Evaluation {
  Outcomes outcomes;
  std::string title;  // of the scenario
};

/// Loads the bundle and the data of its scenario, and asks the model. `train_seconds` comes from the bundle's run.json.
/// Says so on standard error where the data is not what the model was trained on.
/// Throws InvalidInput for a damaged bundle or data that does not fit it.
Evaluation evaluate_bundle(const std::string& folder, const std::string& database, const RunOptions& options);

/// A folder of this process's own among the system's temporary ones, removed with everything in it at the end.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace fewshop
