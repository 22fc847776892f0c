#include "scenario/read.h"

#include <fmt/format.h>

#include <cmath>
#include <filesystem>
#include <set>

#include "core/error.h"
#include "core/section.h"
#include "scenario/condition.h"
#include "scenario/names.h"
#include "scenario/read_split.h"

namespace fewshop {
namespace {

using nlohmann::json;

constexpr int kMaxGroups = 1'000'000'000;

/// The learner of a file that names none: the default, or where it cannot learn the problem the strongest that can.
const char* default_learner(Problem problem) {
  if (!is_row_problem(problem)) return "bayes";
  return problem == Problem::kRegression || problem == Problem::kCount ? "task-linear" : "task-logistic";
}

/// The first one is the primary metric.
std::vector<std::string> default_metrics(Problem problem) {
  switch (problem) {
    case Problem::kRating:
      return {"rmse", "mae", "ndcg@5"};
    case Problem::kRanking:
      return {"ndcg@10", "recall@20", "mrr@20"};
    case Problem::kBinary:
      return {"log-loss", "auc", "accuracy", "f1", "brier"};
    case Problem::kMulticlass:
      return {"log-loss", "accuracy", "brier"};
    case Problem::kRegression:
      return {"rmse", "mae", "log-loss"};
    case Problem::kCount:
      return {"poisson-deviance", "log-loss", "rmse", "mae"};
    case Problem::kOrdinal:
      return {"log-loss", "rps", "mae", "accuracy"};
  }
  return {};
}

/// Fills one Scenario section by section, in the order of docs/scenario-file.md; later sections look at earlier ones.
class Reader {
 public:
  explicit Reader(const TomlDocument& document) : document_(document) {}

  Scenario read() {
    read_top();
    read_rows();
    read_items();
    read_tasks();
    read_features();
    read_live();
    read_split(document_, s_);
    read_episode();
    read_learner();
    read_report();
    return std::move(s_);
  }

 private:
  void chose(const std::string& key, const std::string& sentence) { s_.defaults.push_back(key + ": " + sentence); }

  void read_top() {
    Section top(document_, "");
    s_.file = document_.place;
    s_.name = top.text("name");
    if (s_.name.empty()) {
      s_.name = std::filesystem::path(document_.place).stem().string();
      chose("name", "'" + s_.name + "', the name of the file");
    }
    s_.title = top.text("title", s_.name);
    problem_ = top.text("problem");
    s_.covers = top.texts("covers");
    for (const char* section : {"rows", "items", "tasks", "features", "live", "split", "episode", "learner", "report"})
      top.expect(section);
    top.done();
  }

  Source read_source(Section& section, const std::string& name, bool needed) {
    Source source{section.text("table"), section.text("sql")};
    const bool table = !source.table.empty(), sql = !source.sql.empty();
    require(!(table && sql), section.where("sql"), ": [", name, "] has both table and sql; keep one of them");
    require(table || sql || !needed, document_.place, ": [", name, "] needs table = \"...\" or sql = \"select ...\"");
    return source;
  }

  void read_rows() {
    Section rows(document_, "rows");
    require(rows.given(), document_.place, ": the section [rows] is missing; it needs a table (or sql) and task");
    s_.rows = read_source(rows, "rows", true);
    s_.task = rows.texts("task");
    require(!s_.task.empty(), document_.place,
            ": [rows] needs task = \"COLUMN\": rows with the same value there form one task");
    s_.target = rows.text("target");
    s_.item = rows.text("item");
    s_.time = rows.text("time");
    s_.event = rows.text("event");
    s_.weight = rows.text("weight");
    s_.positive = rows.text("positive");
    s_.classes = distinct(rows, "classes");
    if (!s_.positive.empty()) {
      if (!parse_condition(s_.positive)) rows.refuse("positive", "a comparison such as \">= 4\" or \"== purchase\"");
      require(!s_.target.empty(), rows.where("positive"), ": it compares the target, but [rows] has no target");
    }
    rows.done();
    resolve_problem();
  }

  void resolve_problem() {
    const std::string where = document_.where("problem");
    if (problem_.empty()) {
      require(!s_.item.empty(), document_.place,
              ": [rows] names no item, so it is not told what is predicted: say problem = \"binary\", \"multiclass\", "
              "\"regression\", \"count\" or \"ordinal\", or name an item to rate or rank");
      s_.problem = s_.target.empty() || !s_.positive.empty() ? Problem::kRanking : Problem::kRating;
      chose("problem", fmt::format("{}, as there is an item and {}", problem_name(s_.problem),
                                   !s_.positive.empty() ? "positive makes the target implicit feedback"
                                   : s_.target.empty()  ? "no target"
                                                        : "a target"));
    } else {
      const auto known = problem_from_name(problem_);
      const bool later = problem_ == "forecast" || problem_ == "bandit";
      require(known.has_value(), where, ": '", problem_, "' ",
              later ? "is not in this version yet" : "is no kind of problem", "; available: ", problem_names());
      s_.problem = *known;
    }
    const std::string name = problem_name(s_.problem);
    const bool row_problem = is_row_problem(s_.problem);
    require(row_problem || !s_.item.empty(), where, ": ", name, " needs item = \"COLUMN\" in [rows]");
    require(s_.problem == Problem::kRanking || !s_.target.empty(), where, ": ", name,
            " needs target = \"COLUMN\" in [rows]");
    require(s_.positive.empty() || s_.problem == Problem::kRanking || s_.problem == Problem::kBinary,
            document_.where("rows.positive"), ": it makes ", name,
            " targets yes or no, which is problem = \"binary\" (a row is one or the other) or problem = \"ranking\" "
            "(rows that do "
            "not pass are left out)");
    require(s_.classes.empty() || has_classes(s_.problem), document_.where("rows.classes"),
            ": it belongs to problem = \"multiclass\" or \"ordinal\"");
    require(s_.classes.empty() || s_.classes.size() >= 2, document_.where("rows.classes"),
            ": expected at least two classes");
  }

  void read_items() {
    Section items(document_, "items");
    s_.items = read_source(items, "items", false);
    const bool source = !s_.items.table.empty() || !s_.items.sql.empty();
    require(!items.given() || !s_.item.empty(), document_.where("items"),
            ": [items] describes what rows.item names, and [rows] names no item");
    s_.items_key = items.text("key", source ? s_.item : "");
    require(source || s_.items_key.empty(), items.where("key"), ": [items] has a key but no table or sql");
    if (source && !items.has("key")) chose("items.key", "'" + s_.item + "', as in [rows]");
    s_.exclude_seen = items.word("seen", "exclude", {"exclude", "include"}) == "exclude";
    if (!items.has("seen") && s_.problem == Problem::kRanking)
      chose("items.seen", "'exclude': items of the support are no answers");
    items.done();
  }

  void read_tasks() {
    Section tasks(document_, "tasks");
    s_.tasks = read_source(tasks, "tasks", tasks.given());
    if (tasks.given()) {
      require(s_.task.size() == 1, tasks.where("table"),
              ": a task description needs one task column; [rows] has several (join them in SQL)");
      s_.tasks_key = tasks.text("key", s_.task[0]);
      if (!tasks.has("key")) chose("tasks.key", "'" + s_.tasks_key + "', as in [rows]");
    }
    tasks.done();
  }

  void add_feature(const std::string& name, const json& value, const std::string& where) {
    const size_t dot = name.find('.');
    const std::string prefix = name.substr(0, dot);
    require(dot != std::string::npos && dot + 1 < name.size() &&
                (prefix == "rows" || prefix == "items" || prefix == "tasks"),
            where, ": expected a column with its prefix: \"rows.COLUMN\", \"items.COLUMN\" or \"tasks.COLUMN\"");
    require(prefix != "rows" || is_row_problem(s_.problem), where, ": a ", problem_name(s_.problem),
            " scores items that have no row yet, so features of rows cannot be used; "
            "items.* and tasks.* can");
    require(prefix != "items" || !s_.items.table.empty() || !s_.items.sql.empty(), where,
            ": there is no [items] with a table or sql");
    require(prefix != "tasks" || !s_.tasks.table.empty() || !s_.tasks.sql.empty(), where,
            ": there is no [tasks] with a table or sql");
    FeatureSpec spec;
    spec.name = name;
    spec.chosen = true;
    std::string type;
    if (value.is_string()) {
      type = value.get<std::string>();
    } else {
      for (const auto& [key, entry] : value.items())
        require(value.is_object() && (key == "type" || key == "separator") && entry.is_string() &&
                    !entry.get_ref<const std::string&>().empty(),
                where, ": expected a type, or { type = \"categories\", separator = \"|\" }");
      require(value.is_object() && value.contains("type"), where,
              ": expected a type, or { type = \"categories\", separator = \"|\" }");
      type = value["type"].get<std::string>();
      spec.separator = value.value("separator", spec.separator);
    }
    const auto parsed = feature_type_from_name(type);
    require(parsed.has_value(), where, ": '", type, "' is no type of feature; known types: ", feature_type_names());
    spec.type = *parsed;
    s_.features.push_back(spec);
  }

  void read_features() {
    Section features(document_, "features");
    const json all = features.others();
    for (const auto& [key, value] : all.items()) {
      const std::string where = document_.where("features." + key);
      // Without quotes TOML reads items.genres as a table of tables; take it as it is meant.
      if (value.is_object() && (key == "items" || key == "tasks" || key == "rows"))
        for (const auto& [column, inner] : value.items()) add_feature(key + "." + column, inner, where + "." + column);
      else
        add_feature(key, value, where);
    }
  }

  void read_live() {
    Section live(document_, "live");
    if (const json* events = live.find("events")) {
      if (!events->is_object()) live.refuse("events", "a table such as { purchase = 1, rate = \"rating\" }");
      for (const auto& [event, value] : events->items()) {
        if (!value.is_number() && !(value.is_string() && !value.get_ref<const std::string&>().empty()))
          live.refuse("events", "a number or the name of a column for event '" + event + "'");
        s_.live_events[event] = value;
      }
    }
    live.done();
  }

  /// "n" or [low, high]; 0 above means no limit where `open` is set.
  std::pair<int, int> read_range(Section& section, const std::string& key, std::pair<int, int> otherwise, bool open) {
    const json* value = section.find(key);
    if (!value) return otherwise;
    const std::string expected =
        open ? "a whole number (the least), or [least, most]" : "a whole number, or [least, most]";
    const auto whole = [&](const json& v) {
      if (!v.is_number_integer() || v.get<int64_t>() < 0 || v.get<int64_t>() > kMaxGroups)
        section.refuse(key, expected);
      return v.get<int>();
    };
    if (value->is_number()) return {whole(*value), open ? 0 : whole(*value)};
    if (!value->is_array() || value->size() != 2) section.refuse(key, expected);
    const std::pair<int, int> range{whole((*value)[0]), whole((*value)[1])};
    if (range.first > range.second && !(open && range.second == 0))
      section.refuse(key, expected + " with least <= most");
    return range;
  }

  void read_query(Section& episode) {
    EpisodeSpec& spec = s_.episode;
    const json* query = episode.find("query");
    if (!query) {
      spec.query_count = 10;
      chose("episode.query", "10: the last ten rows of a task");
    } else if (*query == "rest") {
      spec.query = EpisodeSpec::Query::kRest;
    } else if (*query == "next") {
      spec.query = EpisodeSpec::Query::kNext;
    } else {
      if (!query->is_number_integer()) episode.refuse("query", "a whole number, \"rest\" or \"next\"");
      spec.query_count = static_cast<int>(episode.integer("query", 10, 1, kMaxGroups));
    }
    spec.query_after = static_cast<int>(episode.integer("query_after", 0, 1, kMaxGroups));
    require(!episode.has("query_after") || spec.query == EpisodeSpec::Query::kRest, episode.where("query_after"),
            ": it goes with query = \"rest\"");
  }

  void read_order(Section& episode) {
    EpisodeSpec& spec = s_.episode;
    spec.by_time = episode.word("order", s_.time.empty() ? "random" : "time", {"time", "random"}) == "time";
    if (!episode.has("order"))
      chose("episode.order", s_.time.empty() ? "'random' by split.seed, as there is no time column"
                                             : "'time', as there is a time column");
    require(!spec.by_time || !s_.time.empty(), episode.where("order"),
            ": order = \"time\" needs time = \"COLUMN\" in [rows]");
    require(spec.by_time || !s_.split.time_test || s_.split.by_time_alone(), episode.where("order"),
            ": time cuts beside another split need order = \"time\": the query is what happened after the cut");
    spec.ties = episode.text("ties");
    require(spec.ties != "time" || !s_.time.empty(), episode.where("ties"),
            ": ties = \"time\" needs time = \"COLUMN\" in [rows]");
  }

  void read_shots(Section& episode) {
    const json* shots = episode.find("shots");
    const std::string expected = "a list of support sizes and shares such as [0, 1, 5, \"80%\"]";
    const json standard = json::array({0, 1, 3, 5, 10});
    if (!shots) chose("episode.shots", "0, 1, 3, 5, 10");
    if (shots && !shots->is_array()) episode.refuse("shots", expected);
    for (const auto& entry : shots ? *shots : standard) {
      const auto shot = parse_shot(entry);
      if (!shot) episode.refuse("shots", expected);
      if (!shots && s_.episode.query_after > 0 && shot->count > s_.episode.query_after) continue;
      require(s_.episode.query_after == 0 || shot->count <= s_.episode.query_after, episode.where("shots"), ": ",
              shot->label(), " is above query_after = ", s_.episode.query_after,
              ", so support and query would overlap");
      s_.episode.shots.push_back(*shot);
    }
    if (s_.episode.shots.empty()) episode.refuse("shots", expected);
  }

  void read_episode() {
    Section episode(document_, "episode");
    EpisodeSpec& spec = s_.episode;
    std::tie(spec.support_min, spec.support_max) = read_range(episode, "support", {0, 100}, false);
    if (!episode.has("support")) chose("episode.support", "0 to 100 rows");
    read_query(episode);
    read_order(episode);
    spec.role = episode.text("role");
    const int least = spec.query == EpisodeSpec::Query::kCount  ? spec.query_count + 1
                      : spec.query == EpisodeSpec::Query::kNext ? 2
                                                                : spec.query_after + (spec.query_after ? 1 : 2);
    const int standard = spec.role.empty() ? least : 1;
    std::tie(spec.rows_min, spec.rows_max) = read_range(episode, "rows", {standard, 0}, true);
    if (!episode.has("rows")) chose("episode.rows", fmt::format("at least {}", standard));
    read_shots(episode);
    spec.drop_unseen_items = episode.word("unseen_items", "keep", {"keep", "drop"}) == "drop";
    require(!spec.drop_unseen_items || !s_.item.empty(), episode.where("unseen_items"),
            ": it leaves out rows of items, and [rows] names no item");
    spec.hold_out_items = episode.number("hold_out_items", 0.3, 0, 0.9);
    if (!episode.has("hold_out_items") && !is_row_problem(s_.problem)) chose("episode.hold_out_items", "0.3");
    require(!episode.has("horizon"), episode.where("horizon"),
            ": it belongs to problem = \"forecast\", which is not in this version yet");
    episode.done();
  }

  void read_learner() {
    Section learner(document_, "learner");
    s_.learner = learner.text("name", default_learner(s_.problem));
    if (!learner.has("name")) chose("learner.name", "'" + s_.learner + "'");
    s_.stack = learner.boolean("stack", true);
    s_.gate = learner.boolean("gate", true);
    if (!learner.has("stack") || !learner.has("gate"))
      chose("learner", fmt::format("stack {}, gate {}", s_.stack ? "on" : "off", s_.gate ? "on" : "off"));
    if (const json* encoder = learner.find("encoder")) {
      if (!encoder->is_object()) learner.refuse("encoder", "a section [learner.encoder]");
      s_.encoder_options = *encoder;
    }
    s_.learner_options = learner.others();
  }

  static std::vector<std::string> distinct(Section& section, const std::string& key) {
    const std::vector<std::string> names = section.texts(key);
    std::set<std::string> seen;
    for (const auto& name : names)
      require(seen.insert(name).second, section.where(key), ": '", name, "' is listed twice");
    return names;
  }

  void read_report() {
    Section report(document_, "report");
    s_.metrics = distinct(report, "metrics");
    if (s_.metrics.empty()) {
      s_.metrics = default_metrics(s_.problem);
      chose("report.metrics", fmt::format("{}; the first is the primary metric", fmt::join(s_.metrics, ", ")));
    }
    s_.baselines = distinct(report, "baselines");
    if (s_.baselines.empty()) chose("report.baselines", "all that fit the problem");
    report.done();
  }

  const TomlDocument& document_;
  Scenario s_;
  std::string problem_;
};

std::string find_file(const std::string& path_or_name) {
  namespace fs = std::filesystem;
  std::error_code error;
  const bool path = path_or_name.find('/') != std::string::npos || path_or_name.ends_with(".toml");
  if (path || fs::exists(path_or_name, error)) return path_or_name;
  std::vector<std::string> names;
  for (const auto& file : bundled_scenarios()) {
    names.push_back(fs::path(file).stem().string());
    if (names.back() == path_or_name) return file;
  }
  const std::string near = nearest_word(path_or_name, names);
  throw InvalidInput(fmt::format("scenario '{}': no such file, and no bundled scenario of that name{}; bundled: {}",
                                 path_or_name, near.empty() ? "" : " (did you mean '" + near + "'?)",
                                 fmt::join(names, ", ")));
}

/// Options beside another learner's name mean nothing to this one; stack, gate and encoder stay.
void replace_learner(TomlDocument& document, const std::string& name) {
  json& section = document.values["learner"];
  if (!section.is_object() || section.value("name", json("bayes")) != name) {
    json kept = {{"name", name}};
    for (const char* key : {"stack", "gate", "encoder"})
      if (section.is_object() && section.contains(key)) kept[key] = section[key];
    section = kept;
  }
}

Scenario read_document(TomlDocument document, const std::vector<std::string>& overrides, const std::string& learner) {
  if (!learner.empty()) replace_learner(document, learner);
  apply_overrides(document, overrides);
  return Reader(document).read();
}

}  // namespace

Scenario read_scenario(const std::string& path_or_name, const std::vector<std::string>& overrides,
                       const std::string& learner) {
  return read_document(read_toml(find_file(path_or_name)), overrides, learner);
}

Scenario parse_scenario(std::string_view text, const std::string& place, const std::vector<std::string>& overrides,
                        const std::string& learner) {
  return read_document(parse_toml(text, place), overrides, learner);
}

}  // namespace fewshop
