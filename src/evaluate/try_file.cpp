#include "evaluate/try_file.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>

#include "bundle/bundle.h"
#include "core/error.h"
#include "core/progress.h"
#include "core/time.h"
#include "evaluate/evaluate.h"
#include "evaluate/metric.h"
#include "evaluate/report.h"
#include "evaluate/worth.h"
#include "learner/budget.h"
#include "learner/training.h"
#include "scenario/read.h"
#include "store/store.h"
#include "table/import.h"
#include "task/problem.h"

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

/// Times that only a format tells, such as 21-07-2015: text columns whose values all have one of these forms.
std::map<std::string, FieldType> dates_of(Store& store) {
  std::map<std::string, FieldType> types;
  for (const TableColumn& column : store.describe(kTable).columns) {
    if (column.type != ColumnType::kText) continue;
    constexpr int kLooked = 2000;
    const auto cursor = store.query(fmt::format("select distinct {0} from {1} where {0} is not null limit {2}",
                                                quoted(column.name), quoted(kTable), kLooked));
    std::vector<std::string> formats = {"%d-%m-%Y", "%d/%m/%Y", "%d.%m.%Y", "%m/%d/%Y", "%m-%d-%Y",
                                        "%Y/%m/%d", "%d-%b-%Y", "%d-%b-%y", "%d %b %Y", "%b %d, %Y"};
    int values = 0;
    for (; !formats.empty() && cursor->next(); ++values) {
      const Value text = cursor->at(0);
      // strptime takes the 18 of 31-Jul-18 for the year 18.
      constexpr Micros kYear1000 = -30'610'224'000 * kSecond;
      std::erase_if(formats, [&](const std::string& format) {
        Value time;
        return !parse_field(text.text, {ColumnType::kTime, format}, time) || time.integer < kYear1000;
      });
    }
    if (values == 0 || formats.empty()) continue;
    if (formats.size() == 1)
      types[column.name] = {ColumnType::kTime, formats[0]};
    else
      say(fmt::format("try: column '{}' may be a time, but day and month cannot be told apart; write it as 2015-07-21",
                      column.name));
  }
  return types;
}

/// The file as a table, and where it is large, some of its users as another one. What to train is `kept`, a scenario
/// that the user has corrected, or else guessed.
Guess import_file(const TryRequest& request, const std::string& name, const std::string& database,
                  const std::optional<Scenario>& kept) {
  const auto store = open_store(database, Store::Access::kWrite);
  ImportReport imported = import_recipe(guess_recipe({request.file}, kTable), "", *store);
  if (const auto dates = dates_of(*store); !dates.empty()) {
    for (const auto& [column, type] : dates)
      say(fmt::format("try: column '{}' holds times of the form {}", column, type.time_format));
    imported = import_recipe(guess_recipe({request.file}, kTable, dates), "", *store);
  }
  for (const ImportedTable& table : imported.tables)
    if (table.rejected > 0)
      say(fmt::format("try: {} rows do not fit and are left out, see {}", table.rejected, table.reject_file));
  GuessHints hints = request.hints;
  hints.place = request.file;
  const TableInfo info = store->describe(kTable);
  const bool large = info.rows > request.max_rows;
  if (kept) {
    // The scenario may name the sample of an earlier try, which is made from the file as it is now.
    if (info.index_of(kept->task.front()) >= 0 && (large || store->has_table(kSample)))
      write_sample(*store, kept->task.front(), info.rows, request.max_rows);
    return {};
  }
  const Guess guess = guess_scenario(*store, kTable, name, hints);
  if (!large) return guess;
  write_sample(*store, guess.user, info.rows, request.max_rows);
  return guess_scenario(*store, kSample, name, hints);
}

/// Writes a file in one step.
void write_text(const fs::path& path, const std::string& text) {
  const fs::path temporary = path.string() + ".partial";
  std::ofstream out(temporary, std::ios::binary | std::ios::trunc);
  out << text;
  out.close();
  std::error_code error;
  if (out) fs::rename(temporary, path, error);
  if (!out || error) throw Failure(path.string() + ": cannot be written");
}

std::string read_text(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Whether the scenario of an earlier try is no longer the one that was guessed.
bool edited(const fs::path& scenario, const fs::path& guessed) {
  return fs::exists(scenario) && (!fs::exists(guessed) || read_text(scenario) != read_text(guessed));
}

/// Says what is changed so that training ends soon, where anything is; a baseline that is left out comes back.
std::string keep_to_budget(Scenario& scenario, const std::string& database) {
  const LoadedProblem problem = load_problem(scenario, database);
  ProblemSize size{0, static_cast<int64_t>(problem.partition.train.size()), problem.data.items()};
  for (const auto& task : problem.partition.train) size.rows += static_cast<int64_t>(task.rows.size());
  const Budget budget = fit_budget(scenario, size);
  verbose(fmt::format("try: {} training tasks with {} rows, {} items: {:.0f} s of CPU time expected", size.tasks,
                      size.rows, size.items, budget.seconds));
  if (budget.changes.empty() && budget.within) return "";
  say(fmt::format(
      "try: to end {}: {}. `fewshop train` uses what the scenario says",
      budget.within ? "within two minutes"
                    : fmt::format("as soon as may be (about {:.0f} minutes)", budget.seconds / 60 + 1),
      budget.changes.empty() ? "nothing is left to be changed" : fmt::format("{}", fmt::join(budget.changes, "; "))));
  return budget.left_out;
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
  const fs::path guessed = folder / ("." + name + ".guessed.toml");
  std::optional<Scenario> kept;
  if (edited(result.scenario, guessed)) {
    const GuessHints& hints = request.hints;
    require(
        hints.user.empty() && hints.item.empty() && hints.rating.empty() && hints.time.empty(), result.scenario,
        ": has been edited since it was guessed, so that --user, --item, --rating and --time say nothing; change the "
        "columns there, or remove the file to guess anew");
    kept = read_scenario(result.scenario);
    say(fmt::format("try: {} has been edited since it was guessed: it is used as it is (remove it to guess anew)",
                    result.scenario));
  }
  const Guess guess = import_file(request, name, result.database, kept);
  if (!kept) {
    // In this order a scenario that is not the guess beside it is never one of ours.
    write_text(result.scenario, guess.toml);
    write_text(guessed, guess.toml);
  }
  for (const std::string& reason : guess.reasons) say("try: " + reason);

  TrainRequest train;
  train.scenario = kept ? *kept : read_scenario(result.scenario);
  train.database = result.database;
  train.out = result.model;
  train.seed = request.seed;
  train.threads = request.threads;
  parse_metrics(train.scenario.metrics, train.scenario.problem);
  const std::string left_out = keep_to_budget(train.scenario, result.database);
  try {
    training_library().train(train);
  } catch (const InvalidInput& problem) {
    throw InvalidInput(
        fmt::format("{}: cannot be learnt from as {} describes it: {}; correct it there, or take a larger file",
                    request.file, result.scenario, problem.what()));
  }
  const Evaluation evaluation = evaluate_bundle(result.model, result.database, {.threads = request.threads});
  result.report = report(evaluation.outcomes, {.threads = request.threads});
  result.sentence = adapting_worth(result.report);
  if (!left_out.empty())
    result.sentence += fmt::format(" (Not compared with {}, which would have taken too long.)", left_out);
  return result;
}

}  // namespace fewshop
