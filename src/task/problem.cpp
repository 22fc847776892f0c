#include "task/problem.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "core/error.h"
#include "core/hash.h"
#include "core/progress.h"
#include "feature/column_cache.h"
#include "scenario/names.h"
#include "task/load_features.h"
#include "task/order_rows.h"
#include "task/partition.h"
#include "task/row_features.h"

namespace fewshop {
namespace {

/// Beside the database file.
std::string cache_folder(const std::string& path) { return path + ".cache"; }

namespace fs = std::filesystem;

constexpr int kCacheFiles = 24;  // per database; the oldest are removed

/// Changes whenever encoding does, so that older cache files are not read.
constexpr std::string_view kEncodingVersion = "1";

EntitySource items_of(const Scenario& s) { return {s.items, s.items_key, "items"}; }
EntitySource tasks_of(const Scenario& s) { return {s.tasks, s.tasks_key, "tasks"}; }

std::vector<uint8_t> items_in(const Dataset& data, const TaskSet& tasks) {
  std::vector<uint8_t> used(data.items());
  for (const auto& task : tasks)
    for (const int32_t row : task.rows)
      if (data.item[row] >= 0) used[data.item[row]] = 1;
  return used;
}

std::vector<uint8_t> rows_in(const Dataset& data, const TaskSet& tasks) {
  std::vector<uint8_t> used(data.rows());
  for (const auto& task : tasks)
    for (const int32_t row : task.rows) used[row] = 1;
  return used;
}

std::vector<uint8_t> tasks_in(const Dataset& data, const TaskSet& tasks) {
  std::vector<uint8_t> used(data.tasks());
  for (const auto& task : tasks) used[task.task] = 1;
  return used;
}

std::string data_fingerprint(Store& store, const Scenario& s) {
  const nlohmann::json all = scenario_to_json(s);
  Fingerprint fingerprint;
  for (const auto* source : {&s.rows, &s.items, &s.tasks}) fingerprint.add(source_fingerprint(store, *source));
  for (const char* section : {"problem", "rows", "items", "tasks", "split", "episode"})
    fingerprint.add(all[section].dump());
  // All of them, whether listed or by default: a bundle's scenario no longer knows the difference.
  for (const auto& spec : s.features) fingerprint.add(spec.name).add(feature_type_name(spec.type)).add(spec.separator);
  return fingerprint.hex();
}

/// Fits (or takes) the encoders and encodes items and task descriptions of a problem whose rows are loaded.
class ColumnLoader {
 public:
  ColumnLoader(Store& store, LoadedProblem& problem, const Encoders* fitted)
      : store_(store),
        p_(problem),
        fitted_(fitted),
        used_items_(items_in(p_.data, last_fit_tasks())),
        used_tasks_(tasks_in(p_.data, last_fit_tasks())),
        used_rows_(is_row_problem(p_.scenario.problem) ? rows_in(p_.data, last_fit_tasks()) : std::vector<uint8_t>()) {}

  void run() {
    const std::string key = cache_key(), file = cache_file(key);
    const bool wanted = items_of(p_.scenario).given() || tasks_of(p_.scenario).given() || with_rows();
    if (wanted && !file.empty())
      if (auto cached = open_column_cache(file, key)) return adopt(std::move(*cached));
    CachedColumns columns;
    columns.items = load(items_of(p_.scenario), p_.data.item_ids, used_items_, fitted_ ? &fitted_->items : nullptr,
                         columns.encoders.items, columns.notes);
    columns.tasks = load(tasks_of(p_.scenario), p_.data.task_ids, used_tasks_, fitted_ ? &fitted_->tasks : nullptr,
                         columns.encoders.tasks, columns.notes);
    if (with_rows()) columns.rows = load_rows(columns.encoders.rows, columns.notes);
    if (wanted && !file.empty()) {
      if (write_column_cache(file, key, columns))
        remove_old_files(fs::path(file).parent_path());
      else
        verbose("encoded columns are not kept: " + file + " cannot be written");
    }
    adopt(std::move(columns));
  }

 private:
  bool with_rows() const { return is_row_problem(p_.scenario.problem); }

  /// Vocabularies and scales are fitted once, on what the last fit may use: no test task, and no row after
  /// split.time.test.
  TaskSet last_fit_tasks() const {
    TaskSet tasks = p_.partition.train_last;
    tasks.insert(tasks.end(), p_.partition.valid_last.begin(), p_.partition.valid_last.end());
    return tasks;
  }

  std::string cache_key() const {
    Fingerprint key;
    key.add(kEncodingVersion);
    for (const auto* source : {&p_.scenario.items, &p_.scenario.tasks})
      key.add(source->table).add(source->sql).add(source_fingerprint(store_, *source));
    key.add(p_.scenario.items_key).add(p_.scenario.tasks_key);
    for (const auto& spec : p_.scenario.features)
      key.add(spec.name).add(feature_type_name(spec.type)).add(spec.separator).add(spec.chosen);
    for (const auto* ids : {&p_.data.item_ids, &p_.data.task_ids})
      for (const auto& id : *ids) key.add(id);
    for (const auto* used : {&used_items_, &used_tasks_, &used_rows_}) key.add(hash64(used->data(), used->size()));
    if (with_rows()) {
      key.add(p_.scenario.rows.table).add(p_.scenario.rows.sql).add(source_fingerprint(store_, p_.scenario.rows));
      for (const auto& column : standing_columns(p_.scenario)) key.add(column);
      key.add(hash64(p_.data.source.data(), p_.data.source.size() * sizeof(int64_t)));
    }
    if (fitted_) key.add(encoders_to_json(*fitted_).dump());
    return key.hex();
  }

  /// "shop.db.cache/NAME-KEY.columns"; nothing where the database is no file.
  std::string cache_file(const std::string& key) const {
    std::error_code error;
    if (!fs::is_regular_file(store_.location(), error)) return {};
    std::string name = p_.scenario.name.substr(0, 64);
    for (char& c : name)
      if (!std::isalnum(static_cast<unsigned char>(c)) && c != '-' && c != '_') c = '_';
    return cache_folder(store_.location()) + "/" + name + "-" + key + ".columns";
  }

  static void remove_old_files(const fs::path& folder) {
    std::vector<std::pair<fs::file_time_type, fs::path>> files;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error))
      if (entry.path().extension() == ".columns") files.emplace_back(entry.last_write_time(error), entry.path());
    std::sort(files.rbegin(), files.rend());
    for (size_t i = kCacheFiles; i < files.size(); ++i) fs::remove(files[i].second, error);
  }

  Columns load(const EntitySource& entities, const std::vector<std::string>& ids, const std::vector<uint8_t>& used,
               const std::vector<ColumnEncoder>* fitted, std::vector<ColumnEncoder>& encoders,
               std::vector<std::string>& notes) {
    Columns none;
    none.rows = static_cast<int64_t>(ids.size());
    if (!entities.given()) return none;
    if (fitted) {
      encoders = *fitted;
      return read_fitted_features(store_, entities, encoders, ids, notes);
    }
    const std::vector<RawColumn> raw = read_features(store_, entities, p_.scenario.features, ids, notes);
    for (const auto& column : raw) encoders.push_back(fit_encoder(column, used));
    return encode_columns(encoders, raw, none.rows);
  }

  /// The features of the rows themselves, fitted as those of items are.
  Columns load_rows(std::vector<ColumnEncoder>& encoders, std::vector<std::string>& notes) {
    std::vector<RawColumn> raw = read_row_features(store_, p_.scenario, p_.data.source, notes);
    if (fitted_) {
      encoders = fitted_->rows;
      raw = in_order_of(encoders, std::move(raw));
    } else {
      for (const auto& column : raw) encoders.push_back(fit_encoder(column, used_rows_));
    }
    return encode_columns(encoders, raw, p_.data.rows());
  }

  void adopt(CachedColumns columns) {
    p_.data.item_features = std::move(columns.items);
    p_.data.task_features = std::move(columns.tasks);
    p_.data.row_features = std::move(columns.rows);
    p_.encoders = std::move(columns.encoders);
    p_.partition.notes.insert(p_.partition.notes.end(), columns.notes.begin(), columns.notes.end());
    tell_features();
  }

  /// Writes the types that were chosen into the scenario, once.
  void tell_features() {
    Scenario& s = p_.scenario;
    const std::vector<FeatureSpec> listed = std::move(s.features);
    s.features.clear();
    for (const auto* encoders : {&p_.encoders.items, &p_.encoders.tasks, &p_.encoders.rows})
      for (const auto& encoder : *encoders) s.features.push_back(encoder.spec);
    for (const auto& spec : s.features) {
      const bool told = std::any_of(listed.begin(), listed.end(), [&](const auto& l) { return l.name == spec.name; });
      if (!told && !spec.chosen)
        s.defaults.push_back(fmt::format("features: {} as {}, by its type", spec.name, feature_type_name(spec.type)));
    }
    for (const auto& spec : listed)
      if (spec.type == FeatureType::kId) s.features.push_back(spec);
  }

  Store& store_;
  LoadedProblem& p_;
  const Encoders* fitted_;
  std::vector<uint8_t> used_items_, used_tasks_, used_rows_;
};

}  // namespace

LoadedProblem load_problem(const Scenario& scenario, const std::string& database, const Encoders* fitted) {
  auto store = open_store(database, Store::Access::kRead);
  LoadedProblem problem;
  problem.scenario = scenario;
  if (!scenario.live_events.empty()) {
    // A server may be writing: what is read ends at one place that can be found again.
    problem.events_through = store->last_event_row();
    store = open_store(database, Store::Access::kRead, {.events_through = problem.events_through});
  }
  std::vector<std::string> notes;
  Interner items;
  if (items_of(scenario).given()) items = read_keys(*store, items_of(scenario), notes);
  if (tasks_of(scenario).given()) read_keys(*store, tasks_of(scenario), notes);
  RawRows rows = read_rows(*store, scenario, std::move(items));
  problem.row_counts = rows.counts;
  notes.insert(notes.end(), rows.notes.begin(), rows.notes.end());
  problem.scenario.classes = rows.classes;
  problem.data = order_rows(std::move(rows), scenario);
  problem.partition = make_partition(problem.data, scenario);
  problem.partition.notes.insert(problem.partition.notes.begin(), notes.begin(), notes.end());
  ColumnLoader(*store, problem, fitted).run();
  problem.data_fingerprint = data_fingerprint(*store, problem.scenario);
  return problem;
}

void remove_column_cache(const std::string& database) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(cache_folder(database_path(database)), ignored))
    if (entry.path().extension() == ".columns") fs::remove(entry.path(), ignored);
}

}  // namespace fewshop
