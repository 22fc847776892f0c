#include "learner/recount.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "bundle/bundle.h"
#include "bundle/tensor_file.h"
#include "core/error.h"
#include "learner/baseline/baseline.h"
#include "runtime/row_model.h"
#include "store/store.h"
#include "task/order_rows.h"
#include "task/raw_rows.h"

namespace fewshop {
namespace {

using nlohmann::json;

constexpr std::array<std::string_view, 6> kCounted = {"global-mean", "item-mean",  "bias",
                                                      "item-knn",    "popularity", "session-knn"};
constexpr double kMayBeMissing = 0.1;  // of the trained rows, beside those removed

bool contains(const std::vector<int64_t>& sorted, int64_t value) {
  return std::binary_search(sorted.begin(), sorted.end(), value);
}

std::vector<int64_t> hashes_of(const Dataset& data, TaskSet::const_iterator first, TaskSet::const_iterator last) {
  std::vector<int64_t> hashes;
  for (auto task = first; task != last; ++task)
    hashes.push_back(TrainedOn::hash_of(data.task_split[task->task], data.task_ids[task->task]));
  std::sort(hashes.begin(), hashes.end());
  return hashes;
}

int64_t rows_of(const TaskSet& tasks) {
  int64_t rows = 0;
  for (const auto& task : tasks) rows += std::ssize(task.rows);
  return rows;
}

/// The rows of a bundle's last fit as they are in the database now, items numbered as the bundle numbers them.
struct LastFit {
  Dataset data;
  TaskSet train, valid;

  LastFit(const Model::Parts& parts, const std::string& database) {
    const Scenario& s = parts.scenario;
    const TrainedOn& trained = *parts.trained_on;
    const auto store = open_store(database, Store::Access::kRead, {.events_through = trained.events_through});
    Interner items;
    for (const auto& id : parts.item_ids) items.add(id);
    data = order_rows(read_rows_or_none(*store, s, std::move(items)), s);
    data.item_ids.resize(parts.item_ids.size());
    for (int32_t t = 0; t < data.tasks(); ++t) {
      const int64_t hash = TrainedOn::hash_of(data.task_split[t], data.task_ids[t]);
      const bool in_train = contains(trained.train, hash);
      if (!in_train && !contains(trained.valid, hash)) continue;
      TaskRows task{t, {}};
      for (auto r = static_cast<int32_t>(data.task_begin[t]); r < data.task_begin[t + 1]; ++r)
        if (used(r, s, trained)) task.rows.push_back(r);
      if (!task.rows.empty()) (in_train ? train : valid).push_back(std::move(task));
    }
  }

  TaskSet tasks() const {
    TaskSet all = train;
    all.insert(all.end(), valid.begin(), valid.end());
    return all;
  }

 private:
  bool used(int32_t row, const Scenario& s, const TrainedOn& trained) const {
    // An item that only came with rows of later: of a guest, say, whose rows became a user's.
    if (data.item[row] >= data.items()) return false;
    if (s.split.time_test && data.time[row] >= *s.split.time_test) return false;
    return s.time.empty() || data.time[row] <= trained.latest;
  }
};

std::string bytes_of(const Member& member) {
  TensorFile file;
  member.save(file);
  return file.serialize();
}

std::string obstacle_of(const Recount& counted, int64_t removed) {
  const int64_t gone = counted.trained_rows - counted.rows, missing = gone - removed;
  if (static_cast<double>(missing) <= kMayBeMissing * static_cast<double>(counted.trained_rows)) return {};
  return fmt::format("of the {} rows that it was trained with, {} are not in the database, {} of them removed since",
                     counted.trained_rows, gone, std::min(removed, gone));
}

}  // namespace

bool is_counted(std::string_view member) {
  return std::find(kCounted.begin(), kCounted.end(), member) != kCounted.end();
}

TrainedOn trained_on(const Dataset& data, int64_t events_through, const TaskSet& train, const TaskSet& tasks) {
  TrainedOn trained;
  trained.events_through = events_through;
  trained.rows = rows_of(tasks);
  for (const auto& task : tasks)
    for (const int32_t row : task.rows) trained.latest = std::max(trained.latest, data.time[row]);
  const auto end_of_train = tasks.begin() + std::ssize(train);
  trained.train = hashes_of(data, tasks.begin(), end_of_train);
  trained.valid = hashes_of(data, end_of_train, tasks.end());
  return trained;
}

Recount recount(const std::string& folder, const std::string& database, int64_t removed) {
  Recount result;
  if (is_row_problem(bundle_problem(read_manifest(folder), folder))) {
    result.obstacle = "models that predict rows are not counted anew";
    return result;
  }
  Model::Parts parts = Model::read_parts(folder);
  if (!parts.trained_on) {
    result.obstacle = "it does not remember which rows it was trained with";
    return result;
  }
  LastFit fit(parts, database);
  const TaskSet tasks = fit.tasks();
  result.rows = rows_of(tasks);
  result.trained_rows = parts.trained_on->rows;
  result.obstacle = obstacle_of(result, removed);
  result.rows_missing = !result.obstacle.empty();
  if (result.rows_missing) return result;

  const FitInput input{fit.data, parts.scenario, tasks, nullptr, 1, 0};
  const json constants = parts.manifest.value("constants", json::object());
  for (auto& member : parts.members) {
    const std::string name(member->name());
    if (!is_counted(name)) continue;
    auto fitted = std::move(find_baseline(name)->fit(input, {constants.value(name, json::object())}).at(0));
    result.changed = result.changed || bytes_of(*fitted) != bytes_of(*member);
    member = std::move(fitted);
    result.members.push_back(name);
  }
  auto counts = item_counts(fit.data, tasks);
  result.changed = result.changed || counts != parts.item_counts;
  if (!result.changed) return result;

  parts.item_counts = std::move(counts);
  parts.trained_on->train = hashes_of(fit.data, fit.train.begin(), fit.train.end());
  parts.trained_on->valid = hashes_of(fit.data, fit.valid.begin(), fit.valid.end());
  for (const char* computed : {"checksum", "checksums"}) parts.manifest.erase(computed);
  parts.manifest["corrected"] = {{"members", result.members}, {"rows", result.rows}};
  Bundle old = read_bundle(folder);
  if (!old.run.is_object()) old.run = json::object();
  old.run["corrected"] = format_time(system_time());
  const json report = json::parse(old.files.at("report.json"));
  Model(std::move(parts)).save(folder, report, old.run);
  return result;
}

}  // namespace fewshop
