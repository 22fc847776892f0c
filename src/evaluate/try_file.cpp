#include "evaluate/try_file.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>

#include "bundle/bundle.h"
#include "core/error.h"
#include "core/progress.h"
#include "evaluate/evaluate.h"
#include "evaluate/report.h"
#include "evaluate/worth.h"
#include "learner/training.h"
#include "scenario/read.h"
#include "store/store.h"
#include "table/import.h"

namespace fewshop {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTable = "log";
constexpr const char* kSample = "log_sample";

/// "orders.csv.zst" -> "orders".
std::string stem_of(const std::string& file) {
  fs::path name = fs::path(file).filename();
  if (name.extension() == ".zst" || name.extension() == ".gz") name = name.stem();
  return name.stem().string();
}

std::string quoted(const std::string& name) {
  std::string out = "\"";
  for (const char c : name) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

/// Every n-th user (in the order of their ids) with all their rows, as a table of its own.
void write_sample(Store& store, const std::string& user, int64_t rows, int64_t max_rows) {
  const int64_t every = (rows + max_rows - 1) / max_rows;
  const std::string sql = fmt::format(
      "select * from {0} where {1} in (select {1} from (select {1}, row_number() over (order by {1}) as number from "
      "(select distinct {1} from {0} where {1} is not null) as users) as numbered where number % {2} = 0)",
      quoted(kTable), quoted(user), every);
  Transaction transaction(store);
  store.write_query(kSample, sql);
  transaction.commit();
  say(fmt::format("try: {} rows; taking every {}. {} with all their rows", rows, every, user));
}

Guess import_and_guess(const TryRequest& request, const std::string& name, const std::string& database) {
  const auto store = open_store(database, Store::Access::kWrite);
  const ImportReport imported = import_recipe(guess_recipe({request.file}, kTable), "", *store);
  for (const ImportedTable& table : imported.tables)
    if (table.rejected > 0)
      say(fmt::format("try: {} rows do not fit and are left out, see {}", table.rejected, table.reject_file));
  GuessHints hints = request.hints;
  hints.place = request.file;
  const Guess guess = guess_scenario(*store, kTable, name, hints);
  const int64_t rows = store->describe(kTable).rows;
  if (rows <= request.max_rows) return guess;
  write_sample(*store, guess.user, rows, request.max_rows);
  return guess_scenario(*store, kSample, name, hints);
}

void write_text(const std::string& path, const std::string& text) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << text;
  out.close();
  if (!out) throw Failure(path + ": cannot be written");
}

}  // namespace

TryResult try_file(const TryRequest& request) {
  require(fs::exists(request.file), request.file, ": no such file");
  require(!fs::is_directory(request.file), request.file, ": expected a file with a header line, got a directory");
  const std::string name = stem_of(request.file);
  const fs::path folder = request.folder.empty() ? fs::absolute(request.file).parent_path() / (name + ".fewshop")
                                                 : fs::path(request.folder);
  std::error_code error;
  fs::create_directories(folder, error);
  if (error)
    throw Failure(
        fmt::format("{}: cannot be made: {}; name another folder with --out", folder.string(), error.message()));

  TryResult result;
  result.database = (folder / "data.db").string();
  result.scenario = (folder / (name + ".toml")).string();
  result.model = (folder / "model").string();
  check_bundle_target(result.model);
  const Guess guess = import_and_guess(request, name, result.database);
  write_text(result.scenario, guess.toml);
  for (const std::string& reason : guess.reasons) say("try: " + reason);

  TrainRequest train;
  train.scenario = read_scenario(result.scenario);
  train.database = result.database;
  train.out = result.model;
  train.seed = request.seed;
  train.threads = request.threads;
  try {
    training_library().train(train);
  } catch (const InvalidInput& problem) {
    throw InvalidInput(
        fmt::format("{}: cannot be learnt from as it was guessed: {}; correct {} and train it, or take a larger file",
                    request.file, problem.what(), result.scenario));
  }
  const Evaluation evaluation = evaluate_bundle(result.model, result.database, request.threads);
  result.report = report(evaluation.outcomes, {.threads = request.threads});
  result.sentence = adapting_worth(result.report);
  return result;
}

}  // namespace fewshop
