#include "evaluate/evaluate.h"

#include <fmt/format.h>
#include <stdlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "bundle/bundle.h"
#include "core/error.h"
#include "core/progress.h"
#include "evaluate/metric.h"
#include "evaluate/report.h"
#include "evaluate/run_model.h"
#include "evaluate/run_row_model.h"
#include "learner/training.h"
#include "runtime/model.h"

namespace fewshop {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// What the training wrote down about itself; no checksum covers it, so a damaged one only loses the figure.
double train_seconds(const std::string& folder) {
  std::ifstream file(fs::path(folder) / "run.json");
  const json run = json::parse(file, nullptr, false);
  return run.is_object() && run.contains("train_seconds") && run["train_seconds"].is_number()
             ? run["train_seconds"].get<double>()
             : 0;
}

}  // namespace

BundleRun run_bundle(const std::string& folder, const std::string& database, const RunOptions& options) {
  const Bundle bundle = read_bundle(folder);
  BundleRun run;
  if (is_row_problem(bundle_problem(bundle, folder))) {
    const auto model = RowModel::from_bundle(bundle, folder, training_row_members());
    parse_metrics(model->scenario().metrics, model->scenario().problem);
    run.problem = load_problem(model->scenario(), database, &model->encoders());
    run.outcomes = run_row_model(*model, run.problem, options);
  } else {
    const auto model = Model::from_bundle(bundle, folder);
    parse_metrics(model->scenario().metrics, model->scenario().problem);
    run.problem = load_problem(model->scenario(), database, &model->encoders());
    run.outcomes = run_model(*model, run.problem, options);
  }
  const auto trained_on = bundle.manifest.find("data_fingerprint");
  run.same_data =
      trained_on == bundle.manifest.end() || !trained_on->is_string() || *trained_on == run.problem.data_fingerprint;
  return run;
}

Evaluation evaluate_bundle(const std::string& folder, const std::string& database, const RunOptions& options) {
  BundleRun run = run_bundle(folder, database, options);
  if (!run.same_data)
    say(fmt::format(
        "{}: the tables have changed since this model was trained; its test tasks may be among what it learnt from",
        database));
  Evaluation evaluation{std::move(run.outcomes), run.problem.scenario.title};
  evaluation.outcomes.timing.train_seconds = train_seconds(folder);
  return evaluation;
}

TemporaryFolder::TemporaryFolder() {
  std::error_code error;
  const fs::path parent = fs::temp_directory_path(error);
  path_ = ((error ? fs::path("/tmp") : parent) / "fewshop-XXXXXX").string();
  if (!mkdtemp(path_.data())) throw Failure(path_ + ": a temporary folder cannot be made: " + std::strerror(errno));
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

}  // namespace fewshop
