#include <utility>

#include "core/error.h"
#include "scenario/names.h"
#include "scenario/scenario.h"

namespace fewshop {
namespace {

using nlohmann::json;

json source_json(const Source& source) {
  json object = json::object();
  if (!source.table.empty()) object["table"] = source.table;
  if (!source.sql.empty()) object["sql"] = source.sql;
  return object;
}

Source source_from(const json& object) { return {object.value("table", ""), object.value("sql", "")}; }

json features_json(const std::vector<FeatureSpec>& features) {
  json list = json::array();
  for (const auto& f : features)
    list.push_back(
        {{"name", f.name}, {"type", feature_type_name(f.type)}, {"separator", f.separator}, {"chosen", f.chosen}});
  return list;
}

std::vector<FeatureSpec> features_from(const json& list) {
  std::vector<FeatureSpec> features;
  for (const auto& entry : list) {
    const auto type = feature_type_from_name(entry.at("type").get<std::string>());
    require(type.has_value(), "scenario: unknown type of feature ", entry.at("type").dump());
    features.push_back({entry.at("name"), *type, entry.at("separator"), entry.at("chosen")});
  }
  return features;
}

json split_json(const SplitSpec& s) {
  json object = {{"seed", s.seed}, {"shares_given", s.shares_given}};
  if (!s.column.empty()) {
    object["column"] = s.column;
    object["train"] = s.train_values;
    object["test"] = s.test_values;
    object["valid"] = s.valid_values.empty() ? json(s.valid) : json(s.valid_values);
  } else if (s.folds != 0) {
    object["folds"] = s.folds < 0 ? json("each") : json(s.folds);
    object["fold"] = s.fold;
    object["valid"] = s.valid;
  } else if (!s.by_time_alone()) {
    object.update({{"train", s.train}, {"valid", s.valid}, {"test", s.test}});
  }
  if (s.time_valid) object["time"] = {{"valid", *s.time_valid}, {"test", *s.time_test}};
  return object;
}

SplitSpec split_from(const json& object) {
  SplitSpec s;
  s.seed = object.at("seed");
  s.shares_given = object.at("shares_given");
  s.column = object.value("column", "");
  if (!s.column.empty()) {
    s.train_values = object.at("train").get<std::vector<std::string>>();
    s.test_values = object.at("test").get<std::vector<std::string>>();
    if (object.at("valid").is_array())
      s.valid_values = object.at("valid").get<std::vector<std::string>>();
    else
      s.valid = object.at("valid");
  } else if (object.contains("folds")) {
    s.folds = object.at("folds").is_string() ? -1 : object.at("folds").get<int>();
    s.fold = object.at("fold");
    s.valid = object.at("valid");
  } else if (object.contains("train")) {
    s.train = object.at("train");
    s.valid = object.at("valid");
    s.test = object.at("test");
  }
  if (object.contains("time")) {
    s.time_valid = object["time"].at("valid").get<Micros>();
    s.time_test = object["time"].at("test").get<Micros>();
  }
  return s;
}

json query_json(const EpisodeSpec& e) {
  if (e.query == EpisodeSpec::Query::kRest) return "rest";
  if (e.query == EpisodeSpec::Query::kNext) return "next";
  return e.query_count;
}

json episode_json(const EpisodeSpec& e) {
  json shots = json::array();
  for (const auto& shot : e.shots) shots.push_back(shot.share > 0 ? json(shot.label()) : json(shot.count));
  return {{"support", {e.support_min, e.support_max}},
          {"query", query_json(e)},
          {"query_after", e.query_after},
          {"rows", {e.rows_min, e.rows_max}},
          {"order", e.by_time ? "time" : "random"},
          {"ties", e.ties},
          {"shots", shots},
          {"unseen_items", e.drop_unseen_items ? "drop" : "keep"},
          {"hold_out_items", e.hold_out_items},
          {"role", e.role}};
}

EpisodeSpec episode_from(const json& object) {
  EpisodeSpec e;
  e.support_min = object.at("support").at(0);
  e.support_max = object.at("support").at(1);
  const json& query = object.at("query");
  if (query.is_string())
    e.query = query == "rest" ? EpisodeSpec::Query::kRest : EpisodeSpec::Query::kNext;
  else
    e.query_count = query;
  e.query_after = object.at("query_after");
  e.rows_min = object.at("rows").at(0);
  e.rows_max = object.at("rows").at(1);
  e.by_time = object.at("order") == "time";
  e.ties = object.at("ties");
  for (const auto& entry : object.at("shots")) {
    const auto shot = parse_shot(entry);
    require(shot.has_value(), "scenario: ", entry.dump(), " is no support size");
    e.shots.push_back(*shot);
  }
  e.drop_unseen_items = object.at("unseen_items") == "drop";
  e.hold_out_items = object.at("hold_out_items");
  e.role = object.at("role");
  return e;
}

Scenario from_json(const json& j) {
  Scenario s;
  s.name = j.at("name");
  s.title = j.at("title");
  const std::string problem = j.at("problem");
  const auto known = problem_from_name(problem);
  require(known.has_value(), "scenario: unknown problem '", problem, "'");
  s.problem = *known;
  s.covers = j.at("covers").get<std::vector<std::string>>();
  const json& rows = j.at("rows");
  s.rows = source_from(rows);
  s.task = rows.at("task").get<std::vector<std::string>>();
  for (const auto& [key, member] : {std::pair{"target", &s.target},
                                    {"item", &s.item},
                                    {"time", &s.time},
                                    {"event", &s.event},
                                    {"weight", &s.weight},
                                    {"positive", &s.positive}})
    *member = rows.value(key, "");
  if (rows.contains("classes")) s.classes = rows.at("classes").get<std::vector<std::string>>();
  s.items = source_from(j.at("items"));
  s.items_key = j.at("items").value("key", "");
  s.exclude_seen = j.at("items").at("seen") == "exclude";
  s.tasks = source_from(j.at("tasks"));
  s.tasks_key = j.at("tasks").value("key", "");
  s.features = features_from(j.at("features"));
  s.live_events = j.at("live").at("events").get<std::map<std::string, json>>();
  s.split = split_from(j.at("split"));
  s.episode = episode_from(j.at("episode"));
  s.learner = j.at("learner").at("name");
  s.stack = j.at("learner").at("stack");
  s.gate = j.at("learner").at("gate");
  s.learner_options = j.at("learner").at("options");
  s.encoder_options = j.at("learner").at("encoder");
  s.metrics = j.at("report").at("metrics").get<std::vector<std::string>>();
  s.baselines = j.at("report").at("baselines").get<std::vector<std::string>>();
  s.defaults = j.at("defaults").get<std::vector<std::string>>();
  s.warnings = j.at("warnings").get<std::vector<std::string>>();
  return s;
}

}  // namespace

json scenario_to_json(const Scenario& s) {
  json rows = source_json(s.rows);
  rows["task"] = s.task;
  for (const auto& [key, value] : {std::pair{"target", &s.target},
                                   {"item", &s.item},
                                   {"time", &s.time},
                                   {"event", &s.event},
                                   {"weight", &s.weight},
                                   {"positive", &s.positive}})
    if (!value->empty()) rows[key] = *value;
  if (!s.classes.empty()) rows["classes"] = s.classes;
  json items = source_json(s.items);
  if (!s.items_key.empty()) items["key"] = s.items_key;
  items["seen"] = s.exclude_seen ? "exclude" : "include";
  json tasks = source_json(s.tasks);
  if (!s.tasks_key.empty()) tasks["key"] = s.tasks_key;
  return {{"name", s.name},
          {"title", s.title},
          {"problem", problem_name(s.problem)},
          {"covers", s.covers},
          {"rows", rows},
          {"items", items},
          {"tasks", tasks},
          {"features", features_json(s.features)},
          {"live", {{"events", s.live_events}}},
          {"split", split_json(s.split)},
          {"episode", episode_json(s.episode)},
          {"learner",
           {{"name", s.learner},
            {"stack", s.stack},
            {"gate", s.gate},
            {"options", s.learner_options},
            {"encoder", s.encoder_options}}},
          {"report", {{"metrics", s.metrics}, {"baselines", s.baselines}}},
          {"defaults", s.defaults},
          {"warnings", s.warnings}};
}

Scenario scenario_from_json(const json& json) {
  try {
    return from_json(json);
  } catch (const nlohmann::json::exception& error) {
    throw InvalidInput(std::string("scenario: not as this version writes it: ") + error.what());
  }
}

}  // namespace fewshop
