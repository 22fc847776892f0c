// fewshop adapt: predictions for rows of a file, from rows of another one.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <memory>

#include "bundle/bundle.h"
#include "command.h"
#include "core/error.h"
#include "core/progress.h"
#include "evaluate/csv_writer.h"
#include "learner/training.h"
#include "runtime/model.h"
#include "table/text_rows.h"
#include "task/answer.h"
#include "task/row_answer.h"
#include "task/task_input.h"

namespace fewshop::cli {
namespace {

constexpr std::array kAdded = {"prediction", "low", "high", "served"};

struct AdaptArguments {
  std::string model, support, query, at;
  bool explain = false;
};

/// Row numbers by task: the values of the scenario's task columns, or one task where a file does not have them all.
std::map<std::string, std::vector<size_t>> rows_by_task(const TextRows& rows, const std::vector<std::string>& columns) {
  std::map<std::string, std::vector<size_t>> tasks;
  for (size_t r = 0; r < rows.rows.size(); ++r) {
    std::string key;
    for (const std::string& column : columns) key += rows.rows[r][rows.find(column)].value_or("") + '\x1f';
    tasks[key].push_back(r);
  }
  return tasks;
}

TextRows subset(const TextRows& rows, const std::vector<size_t>& which) {
  TextRows out{rows.place, rows.columns, {}, {}};
  for (const size_t r : which) {
    out.rows.push_back(rows.rows[r]);
    if (!rows.lines.empty()) out.lines.push_back(rows.lines[r]);
  }
  return out;
}

bool has_all(const TextRows& rows, const std::vector<std::string>& columns) {
  return std::all_of(columns.begin(), columns.end(), [&](const std::string& column) { return rows.find(column) >= 0; });
}

/// Makes query items known that the model has not seen, where the file has any of their feature columns.
void add_new_items(Model& model, const TextRows& query, int item_column) {
  std::vector<std::pair<std::string, int>> features;
  for (const ColumnEncoder& encoder : model.encoders().items) {
    const std::string name = encoder.spec.name.substr(encoder.spec.name.find('.') + 1);
    if (const int column = query.find(name); column >= 0) features.emplace_back(name, column);
  }
  if (features.empty()) return;
  for (const auto& row : query.rows) {
    const std::string id = row[item_column].value_or("");
    if (id.empty() || model.find_item(id) >= 0) continue;
    EntityValues values;
    for (const auto& [name, column] : features) values[name] = row[column];
    const EncodedEntity encoded = encode_entity(model.encoders().items, values);
    model.add_item(id, encoded.views);
  }
}

std::vector<Prediction> predict_all(Model& model, const TextRows& support, const TextRows& query,
                                    std::optional<Micros> at) {
  const Scenario& s = model.scenario();
  const int item_column = query.find(s.item);
  require(item_column >= 0, query.place, ": expected a column '", s.item, "' (rows.item of scenario ", s.name,
          "), got ", fmt::format("{}", fmt::join(query.columns, ", ")));
  add_new_items(model, query, item_column);

  std::vector<std::string> task_columns = s.task;
  if (!has_all(support, task_columns) || !has_all(query, task_columns)) task_columns.clear();
  const auto support_of = rows_by_task(support, task_columns);
  std::vector<Prediction> predictions(query.rows.size());
  int64_t unknown_kinds = 0;
  for (const auto& [task, rows] : rows_by_task(query, task_columns)) {
    const auto found = support_of.find(task);
    const TextRows known = subset(support, found == support_of.end() ? std::vector<size_t>{} : found->second);
    const TextRows asked = subset(query, rows);
    EntityValues description = description_in(model, known);
    description.merge(description_in(model, asked));
    const TaskInput input = task_input(model, known, description, at);
    unknown_kinds += input.unknown_kinds;
    std::vector<std::string> items;
    for (size_t i = 0; i < rows.size(); ++i) {
      const auto& id = asked.rows[i][item_column];
      require(id && !id->empty(), asked.where(i), ": ", s.item, " is empty");
      items.push_back(*id);
    }
    const auto answers = predict(model, input, items);
    for (size_t i = 0; i < rows.size(); ++i) predictions[rows[i]] = answers[i];
  }
  if (const std::string note = left_out(model, unknown_kinds); !note.empty()) say("adapt: " + note);
  return predictions;
}

/// Predictions of a model of rows, in the order of the query.
std::vector<RowPrediction> predict_all(const RowModel& model, const TextRows& support, const TextRows& query,
                                       std::optional<Micros> at, bool explain) {
  std::vector<std::string> task_columns = model.scenario().task;
  if (!has_all(support, task_columns) || !has_all(query, task_columns)) task_columns.clear();
  const auto support_of = rows_by_task(support, task_columns);
  std::vector<RowPrediction> predictions(query.rows.size());
  int64_t unknown_kinds = 0;
  for (const auto& [task, rows] : rows_by_task(query, task_columns)) {
    const auto found = support_of.find(task);
    const std::vector<size_t> known_rows = found == support_of.end() ? std::vector<size_t>{} : found->second;
    const TextRows known = subset(support, known_rows), asked = subset(query, rows);
    EntityValues description = description_in(model, known);
    description.merge(description_in(model, asked));
    RowTaskInput input = row_task_input(model, known, description, at);
    unknown_kinds += input.unknown_kinds;
    auto answers = predict_rows(model, input, asked, {.explain = explain});
    for (size_t i = 0; i < rows.size(); ++i) {
      for (RowReason& reason : answers[i].reasons)  // rows of the file, not of the task
        reason.row = static_cast<int32_t>(known_rows[static_cast<size_t>(reason.row)]);
      predictions[rows[i]] = std::move(answers[i]);
    }
  }
  if (unknown_kinds > 0)
    say(fmt::format("adapt: {} rows left out: their kind of event ({}) is none that the model knows ({})",
                    unknown_kinds, model.scenario().event, fmt::join(model.kinds(), ", ")));
  return predictions;
}

void print_csv(const TextRows& query, const std::vector<RowPrediction>& predictions, const RowModel& model) {
  std::string out;
  for (const std::string& column : query.columns) out += csv_field(column) + ",";
  out += fmt::format("{}", fmt::join(kAdded, ","));
  for (const std::string& label : model.classes()) out += "," + csv_field("p:" + label);
  out += "\n";
  const auto bound = [&](const std::optional<double>& value) {
    if (!value) return std::string();
    return model.classes().empty() ? fmt::format("{:.7g}", *value)
                                   : csv_field(model.classes().at(static_cast<size_t>(*value)));
  };
  for (size_t r = 0; r < query.rows.size(); ++r) {
    for (const auto& value : query.rows[r]) out += csv_field(value.value_or("")) + ",";
    const RowPrediction& p = predictions[r];
    out += fmt::format("{},{},{},{}", csv_field(p.value), bound(p.low), bound(p.high), csv_field(p.served));
    for (const double share : p.distribution.probability) out += fmt::format(",{:.7g}", share);
    out += "\n";
  }
  std::fwrite(out.data(), 1, out.size(), stdout);
}

/// The query rows with what was predicted beside their columns.
nlohmann::json to_json(const TextRows& query, const std::vector<RowPrediction>& predictions, const RowModel& model,
                       bool explain) {
  nlohmann::json list = nlohmann::json::array();
  for (size_t r = 0; r < query.rows.size(); ++r) {
    nlohmann::json row = nlohmann::json::object();
    for (size_t c = 0; c < query.columns.size(); ++c)
      row[query.columns[c]] = query.rows[r][c] ? nlohmann::json(*query.rows[r][c]) : nlohmann::json();
    nlohmann::json answer = to_json(predictions[r], model, explain);
    row["prediction"] = answer["value"];
    answer.erase("value");
    row.update(answer);
    list.push_back(std::move(row));
  }
  return {{"predictions", list}};
}

void print_csv(const TextRows& query, const std::vector<Prediction>& predictions) {
  std::string out;
  for (const std::string& column : query.columns) out += csv_field(column) + ",";
  out += fmt::format("{}\n", fmt::join(kAdded, ","));
  for (size_t r = 0; r < query.rows.size(); ++r) {
    for (const auto& value : query.rows[r]) out += csv_field(value.value_or("")) + ",";
    const Prediction& p = predictions[r];
    out += fmt::format("{:.7g},{:.7g},{:.7g},{}\n", p.value, p.low, p.high, csv_field(p.served));
  }
  std::fwrite(out.data(), 1, out.size(), stdout);
}

nlohmann::json to_json(const TextRows& query, const std::vector<Prediction>& predictions) {
  nlohmann::json list = nlohmann::json::array();
  for (size_t r = 0; r < query.rows.size(); ++r) {
    nlohmann::json row = nlohmann::json::object();
    for (size_t c = 0; c < query.columns.size(); ++c)
      row[query.columns[c]] = query.rows[r][c] ? nlohmann::json(*query.rows[r][c]) : nlohmann::json();
    const Prediction& p = predictions[r];
    row["prediction"] = p.value;
    row["low"] = p.low;
    row["high"] = p.high;
    row["served"] = p.served;
    list.push_back(std::move(row));
  }
  return {{"predictions", list}};
}

void run(const AdaptArguments& arguments, const Globals& globals) {
  std::optional<Micros> at;
  if (!arguments.at.empty()) {
    at = parse_time(arguments.at);
    require(at.has_value(), "--at: expected a time such as 2011-12-09T12:50:00Z, got '", arguments.at, "'");
  }
  allow_training_members();
  const TextRows support = read_text_rows(arguments.support), query = read_text_rows(arguments.query);
  for (const char* column : kAdded)
    require(query.find(column) < 0, query.place, ": has a column '", column, "', which adapt adds; rename it");
  const Bundle bundle = read_bundle(arguments.model);
  if (is_row_problem(bundle_problem(bundle, arguments.model))) {
    require(!arguments.explain || globals.json, "--explain: reasons do not fit into columns; add --json");
    const auto model = RowModel::from_bundle(bundle, arguments.model);
    const auto predictions = predict_all(*model, support, query, at, arguments.explain);
    if (globals.json)
      print_json(to_json(query, predictions, *model, arguments.explain));
    else
      print_csv(query, predictions, *model);
    return;
  }
  require(!arguments.explain, "--explain: this model rates or ranks items; see fewshop recommend --explain");
  const auto model = Model::from_bundle(bundle, arguments.model);
  const auto predictions = predict_all(*model, support, query, at);
  if (globals.json)
    print_json(to_json(query, predictions));
  else
    print_csv(query, predictions);
}

}  // namespace

void add_adapt(CLI::App& app, Globals& globals) {
  auto arguments = std::make_shared<AdaptArguments>();
  CLI::App* command = app.add_subcommand("adapt", "predictions for query rows, adapted to support rows");
  command->add_option("MODEL", arguments->model, "bundle of a trained model")->required();
  command
      ->add_option("--support", arguments->support,
                   "file with what is known; task by task where it has the task column")
      ->required();
  command->add_option("--query", arguments->query, "file with the rows to predict")->required();
  command->add_option("--at", arguments->at, "time of the question; each task's latest support row by default");
  command->add_flag("--explain", arguments->explain,
                    "with --json, for problems that ask about rows: prior, link and one reason for each support row");
  command->callback([arguments, &globals] { run(*arguments, globals); });
}

}  // namespace fewshop::cli
