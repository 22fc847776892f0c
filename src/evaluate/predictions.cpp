#include "evaluate/predictions.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <memory>
#include <unordered_map>

#include "core/error.h"
#include "core/progress.h"
#include "core/time.h"
#include "evaluate/csv_writer.h"
#include "evaluate/evaluate.h"
#include "evaluate/prediction_file.h"
#include "evaluate/rank.h"
#include "evaluate/report.h"
#include "evaluate/run_model.h"
#include "learner/training.h"
#include "runtime/model.h"
#include "task/problem.h"

namespace fewshop {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// A task value for people: values of several columns are joined by " / ".
std::string task_text(const Dataset& data, int32_t task) {
  std::string text;
  for (const char c : data.task_ids[task]) {
    if (c == '\x1f')
      text += " / ";
    else
      text += c;
  }
  return text;
}

/// The columns of a row that a scenario names, by their own names.
class RowColumns {
 public:
  RowColumns(const Dataset& data, const Scenario& scenario) : data_(data), scenario_(scenario) {}

  std::vector<std::string> header() const {
    std::vector<std::string> names;
    for (const auto& column : {scenario_.item, scenario_.time, scenario_.event, scenario_.weight, scenario_.target})
      if (!column.empty()) names.push_back(reserved(column) ? "row_" + column : column);
    return names;
  }

  /// `answer`: leave out what a method is asked for: the target, in ranking problems also the item.
  void append(int32_t row, bool answer, std::vector<std::string>& fields) const {
    const bool ranking = scenario_.problem == Problem::kRanking;
    if (!scenario_.item.empty()) fields.push_back(answer && ranking ? "" : data_.item_ids[data_.item[row]]);
    if (!scenario_.time.empty()) fields.push_back(format_time(data_.time[row]));
    if (!scenario_.event.empty()) fields.push_back(data_.kinds[data_.kind[row]]);
    if (!scenario_.weight.empty()) fields.push_back(answer && ranking ? "" : fmt::format("{}", data_.weight[row]));
    if (!scenario_.target.empty()) fields.push_back(answer ? "" : fmt::format("{}", data_.target[row]));
  }

 private:
  static bool reserved(const std::string& column) {
    for (const char* name : {"fold", "split", "task", "k", "role", "row", "use"})
      if (column == name) return true;
    return false;
  }
  const Dataset& data_;
  const Scenario& scenario_;
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
          fields.insert(fields.end(), {cell.name, task_text(data, episode.task), point.label, role,
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
        fields.insert(fields.end(),
                      {use, task_text(problem.data, task.task), std::to_string(problem.data.source[row])});
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
      const std::string task = task_text(data_, episode.task);
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

  Answer values(const PredictionFile::Group& group, const Episode& episode) const {
    Answer answer;
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
  std::unordered_map<int32_t, int32_t> dataset_item_;  // the file's number of an item -> the dataset's
  std::vector<float> score_;
  std::string place_;
};

}  // namespace

void export_rows(const Scenario& scenario, const std::string& database, const std::string& folder) {
  std::unique_ptr<CsvWriter> rows, train;
  for (const auto& fold_scenario : fold_scenarios(scenario, database)) {
    const LoadedProblem problem = load_problem(fold_scenario, database);
    const RowColumns columns(problem.data, problem.scenario);
    const std::string fold = scenario.split.folds != 0 ? std::to_string(fold_scenario.split.fold) : "";
    if (!rows) {
      std::error_code error;
      fs::create_directories(folder, error);
      if (error || !fs::is_directory(folder)) throw Failure(folder + ": the folder cannot be made: " + error.message());
      std::vector<std::string> rows_header{"split", "task", "k", "role", "row"}, train_header{"use", "task", "row"};
      for (auto* header : {&rows_header, &train_header}) {
        if (!fold.empty()) header->insert(header->begin(), "fold");
        for (const auto& name : columns.header()) header->push_back(name);
      }
      rows = std::make_unique<CsvWriter>(folder + "/rows.csv", rows_header);
      train = std::make_unique<CsvWriter>(folder + "/train.csv", train_header);
    }
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
    const auto model = Model::load(out);
    const LoadedProblem problem = load_problem(model->scenario(), request.database, &model->encoders());
    Outcomes outcomes = run_model(*model, problem, {.threads = request.threads, .timing = false});
    replace_answers(file, problem, outcomes);
    runs.push_back(std::move(outcomes));
    fs::remove_all(out);
  }
  file.require_all_used();
  json object = report(pool(std::move(runs)), {.threads = request.threads});
  object["method"] = "predictions";
  object.erase("timing");
  return object;
}

}  // namespace fewshop
