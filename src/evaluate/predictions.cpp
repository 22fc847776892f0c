#include "evaluate/predictions.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <set>
#include <unordered_map>

#include "core/error.h"
#include "core/progress.h"
#include "evaluate/compare.h"
#include "evaluate/csv_writer.h"
#include "evaluate/evaluate.h"
#include "evaluate/prediction_file.h"
#include "evaluate/rank.h"
#include "evaluate/report.h"
#include "evaluate/row_texts.h"
#include "evaluate/run_model.h"
#include "evaluate/test_cells.h"
#include "learner/training.h"
#include "task/problem.h"

namespace fewshop {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// The columns of a row under names that no column of ours has.
class RowColumns {
 public:
  RowColumns(const RowTexts& texts, const Dataset& data, const Scenario& scenario)
      : texts_(texts), data_(data), hidden_(hidden_columns(texts, scenario)) {}

  static std::vector<std::string> header(const RowTexts& texts, std::vector<std::string> own) {
    std::set<std::string> taken{"fold", "split", "task", "k", "role", "row", "use"};
    for (const auto& column : texts.columns()) {
      std::string name = column.name;
      while (!taken.insert(name).second) name = "row_" + name;
      own.push_back(name);
    }
    return own;
  }

  /// `answer`: leave out what a method is asked for.
  void append(int32_t row, bool answer, std::vector<std::string>& fields) const {
    for (size_t c = 0; c < hidden_.size(); ++c)
      fields.emplace_back(answer && hidden_[c] ? "" : texts_.at(data_.source[row], c));
  }

 private:
  /// What a query row does not tell: its target; in a ranking also its item, and with it every column that says
  /// something about it: all but the task, the time, the kind of event and how rows are tied and split.
  static std::vector<uint8_t> hidden_columns(const RowTexts& texts, const Scenario& s) {
    std::set<std::string> told(s.task.begin(), s.task.end());
    for (const auto* column : {&s.time, &s.event, &s.episode.ties, &s.episode.role, &s.split.column})
      told.insert(*column);
    std::vector<uint8_t> hidden;
    for (const auto& column : texts.columns())
      hidden.push_back(column.name == s.target || (s.problem == Problem::kRanking && !told.contains(column.name)));
    return hidden;
  }

  const RowTexts& texts_;
  const Dataset& data_;
  std::vector<uint8_t> hidden_;
};

void write_test_rows(const LoadedProblem& problem, const RowColumns& columns, const std::string& fold, CsvWriter& csv) {
  const Dataset& data = problem.data;
  for (const auto& cell : problem.partition.test) {
    for (const auto& point : point_episodes(problem, cell)) {
      for (const auto& asked : point.episodes) {
        const auto& episode = asked.second;
        const auto write = [&](const char* role, int32_t row, bool answer) {
          std::vector<std::string> fields;
          if (!fold.empty()) fields.push_back(fold);
          const bool named = !(answer && problem.scenario.problem == Problem::kRanking);
          fields.insert(fields.end(), {cell.name, data.task_ids[episode.task], point.label, role,
                                       named ? std::to_string(data.source[row]) : std::string()});
          columns.append(row, answer, fields);
          csv.write(fields);
        };
        for (const int32_t row : episode.support) write("support", row, false);
        // A ranking asks once for a list; how many answers there are is not told.
        for (const int32_t row : episode.query) {
          write("query", row, true);
          if (problem.scenario.problem == Problem::kRanking) break;
        }
      }
    }
  }
}

void write_train_rows(const LoadedProblem& problem, const RowColumns& columns, const std::string& fold,
                      CsvWriter& csv) {
  for (const auto& [use, tasks] :
       {std::pair{"train", &problem.partition.train_last}, {"valid", &problem.partition.valid_last}}) {
    for (const auto& task : *tasks) {
      for (const int32_t row : task.rows) {
        std::vector<std::string> fields;
        if (!fold.empty()) fields.push_back(fold);
        fields.insert(fields.end(), {use, problem.data.task_ids[task.task], std::to_string(problem.data.source[row])});
        columns.append(row, false, fields);
        csv.write(fields);
      }
    }
  }
}

/// Puts the predictions of a file in place of the served and the adapted answers of one run.
class Judge {
 public:
  Judge(PredictionFile& file, const LoadedProblem& problem) : file_(file), problem_(problem), data_(problem.data) {
    for (const auto& label : data_.classes) {
      const auto found = std::find(file.further().begin(), file.further().end(), label);
      require(found != file.further().end(), file.path(), ": expected a column 'p:", label,
              "' with the probability of that class");
      column_of_class_.push_back(static_cast<int>(found - file.further().begin()));
    }
    if (!ranking()) return;
    for (int64_t i = 0; i < data_.items(); ++i)
      if (const int32_t id = file.find(data_.item_ids[i]); id >= 0) dataset_item_[id] = static_cast<int32_t>(i);
    score_.resize(data_.items());
  }

  void replace(Outcomes& outcomes) {
    for (size_t s = 0; s < outcomes.splits.size(); ++s) {
      const TestCell& cell = problem_.partition.test[s];
      const auto points = point_episodes(problem_, cell);
      replace(outcomes.splits[s].headline, cell, points[0]);
      for (size_t i = 1; i < points.size(); ++i) replace(outcomes.splits[s].shots[i - 1], cell, points[i]);
    }
  }

 private:
  bool ranking() const { return problem_.scenario.problem == Problem::kRanking; }

  void replace(ShotOutcome& shot, const TestCell& cell, const PointEpisodes& point) {
    for (size_t i = 0; i < point.episodes.size(); ++i) {
      const Episode& episode = point.episodes[i].second;
      const std::string task = data_.task_ids[episode.task];
      place_ = fmt::format("split '{}', task '{}', k '{}'", cell.name, task, point.label);
      const auto* group = file_.take(cell.name, task, point.label);
      require(group != nullptr, file_.path(), ": no predictions for ", place_,
              "; `fewshop score --export` writes what is asked for");
      TaskOutcome& outcome = shot.tasks[i];
      Answer answer = ranking() ? ranks(*group, episode, outcome) : values(*group, episode);
      outcome.adapted.assign(outcome.target.size(), 1);
      outcome.answers[0] = answer;
      outcome.answers[1] = std::move(answer);
    }
  }

  [[noreturn]] void refuse(const PredictionFile::Entry& entry, const char* what) const {
    throw InvalidInput(fmt::format("{}:{}: {} '{}' of {} {}", file_.path(), entry.line, ranking() ? "item" : "row",
                                   file_.name(entry.id), place_, what));
  }

  /// What an entry says of a row's target.
  Predictive predictive(const PredictionFile::Entry& entry) const {
    constexpr float kUnknown = std::numeric_limits<float>::quiet_NaN();
    switch (problem_.scenario.problem) {
      case Problem::kRegression:  // without a variance the log loss is not defined
        return Predictive::gaussian(entry.value, file_.further().empty() ? kUnknown : file_.more(entry)[0]);
      case Problem::kCount:
        if (!(entry.value >= 0)) refuse(entry, "has a prediction below 0, expected the mean of a count");
        return Predictive::poisson(entry.value);
      case Problem::kBinary:
        if (!(entry.value >= 0 && entry.value <= 1))
          refuse(entry, "has a prediction outside [0, 1], expected a probability");
        return Predictive::bernoulli(entry.value);
      default:
        break;
    }
    Predictive p{problem_.scenario.problem == Problem::kOrdinal ? Family::kOrdinal : Family::kCategorical, 0, 0, 0, {}};
    double sum = 0;
    for (const int column : column_of_class_) {
      const float share = file_.more(entry)[static_cast<size_t>(column)];
      if (!(share >= 0 && share <= 1)) refuse(entry, "has a probability outside [0, 1]");
      p.probability.push_back(share);
      sum += share;
    }
    if (std::abs(sum - 1) > 1e-3) refuse(entry, "has probabilities that do not add up to 1");
    for (double& share : p.probability) share /= sum;
    return p;
  }

  Answer values(const PredictionFile::Group& group, const Episode& episode) const {
    const bool rows = is_row_problem(problem_.scenario.problem);
    Answer answer;
    if (rows)
      answer.predictive.resize(episode.query.size());
    else
      answer.score.resize(episode.query.size());
    std::vector<uint8_t> given(episode.query.size(), 0);
    std::vector<int32_t> wanted;
    for (const int32_t row : episode.query) wanted.push_back(file_.find(std::to_string(data_.source[row])));
    for (const auto& entry : group.entries) {
      const auto found = std::find(wanted.begin(), wanted.end(), entry.id);
      if (found == wanted.end()) refuse(entry, "is not asked for");
      const auto q = static_cast<size_t>(found - wanted.begin());
      if (given[q]) refuse(entry, "is there twice");
      given[q] = 1;
      if (rows)
        answer.predictive[q] = predictive(entry);
      else
        answer.score[q] = entry.value;
    }
    for (size_t q = 0; q < given.size(); ++q)
      require(given[q], file_.path(), ": no prediction for row ", data_.source[episode.query[q]], " of ", place_);
    return answer;
  }

  /// Items that are not listed stand below those that are.
  Answer ranks(const PredictionFile::Group& group, const Episode& episode, const TaskOutcome& outcome) {
    constexpr float kUnlisted = -std::numeric_limits<float>::infinity();
    const auto items = distinct_items(data_, episode.query);
    const auto excluded = excluded_items(data_, problem_.scenario, episode);
    std::fill(score_.begin(), score_.end(), kUnlisted);
    for (const auto& entry : group.entries) {
      const auto item = dataset_item_.find(entry.id);
      if (item == dataset_item_.end()) refuse(entry, "is no item of the data");
      if (std::binary_search(excluded.begin(), excluded.end(), item->second))
        refuse(entry, "is no candidate: the task has seen it, and the scenario excludes seen items");
      if (score_[item->second] != kUnlisted) refuse(entry, "is there twice");
      score_[item->second] = entry.value;
    }
    Answer answer;
    answer.rank.resize(items.size());
    count_ranks(score_, items, excluded, outcome.tie_seed, answer.rank);
    return answer;
  }

  PredictionFile& file_;
  const LoadedProblem& problem_;
  const Dataset& data_;
  std::vector<int> column_of_class_;                   // classes: position among the file's further columns
  std::unordered_map<int32_t, int32_t> dataset_item_;  // the file's number of an item -> the dataset's
  std::vector<float> score_;
  std::string place_;
};

}  // namespace

void export_rows(const Scenario& scenario, const std::string& database, const std::string& folder) {
  const bool folds = scenario.split.folds != 0;
  std::unique_ptr<CsvWriter> rows, train;
  std::optional<RowTexts> texts;
  for (const auto& fold_scenario : fold_scenarios(scenario, database)) {
    const LoadedProblem problem = load_problem(fold_scenario, database);
    if (!rows) {  // what cannot be loaded leaves no folder
      std::error_code error;
      fs::create_directories(folder, error);
      if (error || !fs::is_directory(folder)) throw Failure(folder + ": the folder cannot be made: " + error.message());
      texts.emplace(*open_store(database, Store::Access::kRead), scenario);
      const auto header = [&](std::vector<std::string> own) {
        if (folds) own.insert(own.begin(), "fold");
        return RowColumns::header(*texts, std::move(own));
      };
      rows = std::make_unique<CsvWriter>(folder + "/rows.csv", header({"split", "task", "k", "role", "row"}));
      train = std::make_unique<CsvWriter>(folder + "/train.csv", header({"use", "task", "row"}));
    }
    const RowColumns columns(*texts, problem.data, problem.scenario);
    const std::string fold = folds ? std::to_string(fold_scenario.split.fold) : "";
    write_test_rows(problem, columns, fold, *rows);
    write_train_rows(problem, columns, fold, *train);
  }
  rows->close();
  train->close();
}

void replace_answers(PredictionFile& file, const LoadedProblem& problem, Outcomes& outcomes) {
  Judge(file, problem).replace(outcomes);
}

json score_predictions(const ScoreRequest& request) {
  PredictionFile file(request.predictions, request.scenario.problem);
  const TemporaryFolder folder;
  std::vector<Outcomes> runs;
  for (const auto& scenario : fold_scenarios(request.scenario, request.database)) {
    const std::string out = folder.file("model");
    training_library().train({scenario, request.database, out, request.seed, request.threads, true});
    BundleRun run = run_bundle(out, request.database, {.threads = request.threads, .timing = false});
    replace_answers(file, run.problem, run.outcomes);
    runs.push_back(std::move(run.outcomes));
    fs::remove_all(out);
  }
  file.require_all_used();
  json object = report(pool(std::move(runs)), {.threads = request.threads});
  object["method"] = "predictions";
  object.erase("timing");
  return object;
}

}  // namespace fewshop
