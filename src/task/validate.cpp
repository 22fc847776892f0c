#include "task/validate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "scenario/names.h"
#include "task/groups.h"
#include "task/warnings.h"

namespace fewshop {
namespace {

using nlohmann::json;

constexpr size_t kShownValues = 20;

json tasks_json(const Partition& partition) {
  int64_t test = 0;
  json splits = json::object();
  for (const auto& cell : partition.test) {
    test += static_cast<int64_t>(cell.tasks.size());
    splits[cell.name] = cell.tasks.size();
  }
  return {{"train", partition.train.size()}, {"valid", partition.valid.size()}, {"test", test}, {"splits", splits}};
}

json support_json(const LoadedProblem& p) {
  std::vector<int64_t> sizes;
  for (const auto& cell : p.partition.test)
    for (const auto& task : cell.tasks)
      if (const auto episode = headline_episode(p.data, p.scenario, task))
        sizes.push_back(group_count(p.data, {task.task, episode->support}));
  if (sizes.empty()) return {{"min", 0}, {"median", 0}, {"max", 0}};
  std::sort(sizes.begin(), sizes.end());
  return {{"min", sizes.front()}, {"median", sizes[sizes.size() / 2]}, {"max", sizes.back()}};
}

json target_json(const Dataset& data) {
  if (!data.classes.empty()) {
    std::vector<int64_t> rows(data.classes.size());
    for (const float target : data.target) ++rows[static_cast<size_t>(target)];
    json object;
    for (size_t c = 0; c < rows.size(); ++c)
      object["values"].push_back({{"value", data.classes[c]}, {"rows", rows[c]}});
    return object;
  }
  std::map<float, int64_t> values;
  double sum = 0, squares = 0;
  for (const float target : data.target) {
    if (values.size() <= kShownValues) ++values[target];
    sum += target;
  }
  const auto n = static_cast<double>(data.rows());
  for (const float target : data.target) squares += (target - sum / n) * (target - sum / n);
  const auto [low, high] = std::minmax_element(data.target.begin(), data.target.end());
  json object = {{"min", *low}, {"max", *high}, {"mean", sum / n}, {"deviation", std::sqrt(squares / n)}};
  if (values.size() <= kShownValues)
    for (const auto& [value, rows] : values) object["values"].push_back({{"value", value}, {"rows", rows}});
  return object;
}

int64_t missing_entities(const Column& column, int64_t rows) {
  int64_t missing = 0;
  for (int64_t r = 0; r < rows; ++r) {
    const ColumnView view = column.row(r);
    missing += column.width ? view.dense.back() != 0 : view.ids.empty();
  }
  return missing;
}

void add_features(const Columns& columns, const std::vector<ColumnEncoder>& encoders, json& list) {
  for (size_t c = 0; c < columns.columns.size(); ++c) {
    const Column& column = columns.columns[c];
    json entry = {{"name", column.name},
                  {"type", feature_type_name(encoders[c].spec.type)},
                  {"missing", missing_entities(column, columns.rows)},
                  {"entities", columns.rows}};
    entry[column.width ? "width" : "vocabulary"] = column.width ? column.width : column.vocabulary;
    list.push_back(entry);
  }
}

json row_counts_json(const LoadedProblem& p) {
  const RowCounts& c = p.row_counts;
  return {{"read", c.read},
          {"used", p.data.rows()},
          {"missing_task", c.missing_task},
          {"missing_item", c.missing_item},
          {"missing_target", c.missing_target},
          {"missing_time", c.missing_time},
          {"missing_split", c.missing_split},
          {"not_positive", c.not_positive},
          {"missing_weight", c.missing_weight},
          {"unknown_class", c.unknown_class}};
}

std::string lines_of(const json& list, const char* mark) {
  std::string text;
  for (const auto& entry : list) text += fmt::format("  {} {}\n", mark, entry.get<std::string>());
  return text;
}

/// "3 classes (low: 10, middle: 4, high: 1)"
std::string classes_text(const json& target) {
  const json& values = target["values"];
  std::string text = fmt::format("{} classes (", values.size());
  for (size_t c = 0; c < values.size() && c < kShownValues; ++c)
    text += fmt::format("{}{}: {}", c ? ", " : "", values[c]["value"].get<std::string>(), values[c]["rows"].dump());
  return text + (values.size() > kShownValues ? ", ...)" : ")");
}

std::string target_text(const json& target) {
  if (!target.contains("min")) return classes_text(target);
  std::string text =
      fmt::format("{:.6g} to {:.6g}, mean {:.4g}, deviation {:.4g}", target["min"].get<double>(),
                  target["max"].get<double>(), target["mean"].get<double>(), target["deviation"].get<double>());
  if (!target.contains("values") || target["values"].size() < 2) return text;
  text += " (";
  for (const auto& entry : target["values"])
    text += fmt::format("{}{:.6g}: {}", text.back() == '(' ? "" : ", ", entry["value"].get<double>(),
                        entry["rows"].get<int64_t>());
  return text + ")";
}

}  // namespace

json validate_problem(const LoadedProblem& p) {
  json features = json::array(), warnings = json::array();
  add_features(p.data.item_features, p.encoders.items, features);
  add_features(p.data.task_features, p.encoders.tasks, features);
  add_features(p.data.row_features, p.encoders.rows, features);
  for (const auto& text : p.scenario.warnings) warnings.push_back({{"code", "scenario"}, {"message", text}});
  for (const auto& [code, message] : data_warnings(p)) warnings.push_back({{"code", code}, {"message", message}});
  json scenario = scenario_to_json(p.scenario);
  scenario["file"] = p.scenario.file;
  return {{"scenario", scenario},
          {"tasks", tasks_json(p.partition)},
          {"rows", p.data.rows()},
          {"row_counts", row_counts_json(p)},
          {"items", p.data.items()},
          {"support", support_json(p)},
          {"target", target_json(p.data)},
          {"features", features},
          {"defaults", p.scenario.defaults},
          {"notes", p.partition.notes},
          {"warnings", warnings},
          {"data_fingerprint", p.data_fingerprint}};
}

std::string validation_text(const json& r) {
  const json& tasks = r["tasks"];
  std::string text =
      fmt::format("{} ({}): {}\n", r["scenario"]["name"].get<std::string>(),
                  r["scenario"]["problem"].get<std::string>(), r["scenario"]["title"].get<std::string>());
  text += fmt::format("tasks     train {}, valid {}, test {}\n", tasks["train"].dump(), tasks["valid"].dump(),
                      tasks["test"].dump());
  if (tasks["splits"].size() > 1)
    for (const auto& [name, count] : tasks["splits"].items())
      text += fmt::format("          {}: {}\n", name, count.dump());
  text += fmt::format("rows      {} of {} read", r["rows"].dump(), r["row_counts"]["read"].dump());
  text += r["scenario"]["rows"].contains("item") ? fmt::format(", {} items\n", r["items"].dump()) : "\n";
  text += fmt::format("support   {} to {} {}, median {} (headline, test tasks)\n", r["support"]["min"].dump(),
                      r["support"]["max"].dump(), r["scenario"]["episode"]["ties"] == "" ? "rows" : "groups",
                      r["support"]["median"].dump());
  text += "target    " + target_text(r["target"]) + "\n";
  for (const auto& f : r["features"])
    text += fmt::format("feature   {} {} {} {}, missing in {} of {}\n", f["name"].get<std::string>(),
                        f["type"].get<std::string>(), f.contains("width") ? "width" : "vocabulary",
                        (f.contains("width") ? f["width"] : f["vocabulary"]).dump(), f["missing"].dump(),
                        f["entities"].dump());
  if (!r["defaults"].empty()) text += "chosen because the file is silent\n" + lines_of(r["defaults"], "-");
  if (!r["notes"].empty()) text += "notes\n" + lines_of(r["notes"], "-");
  for (const auto& w : r["warnings"])
    text += fmt::format("warning   {} [{}]\n", w["message"].get<std::string>(), w["code"].get<std::string>());
  return text;
}

}  // namespace fewshop
