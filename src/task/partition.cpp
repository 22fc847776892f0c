#include "task/partition.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <set>

#include "core/error.h"
#include "core/random.h"
#include "task/groups.h"

namespace fewshop {
namespace {

constexpr Micros kNever = std::numeric_limits<Micros>::max();
constexpr int kUnused = -1, kTrain = 0, kValid = 1, kTest = 2;  // kTest + c: test cell c

class Partitioner {
 public:
  Partitioner(const Dataset& data, const Scenario& scenario)
      : data_(data),
        s_(scenario),
        cuts_(s_.split.time_valid.has_value()),
        beside_(cuts_ && !s_.split.by_time_alone()),
        part_(data.tasks(), kUnused) {}

  Partition run() {
    if (!s_.split.column.empty())
      assign_by_column();
    else if (s_.split.by_time_alone())
      assign_by_time();
    else if (s_.split.folds != 0)
      assign_by_folds();
    else
      assign_by_shares();
    collect_training();
    collect_valid();
    collect_test();
    return std::move(result_);
  }

 private:
  void note(int64_t count, const std::string& what) {
    if (count > 0) result_.notes.push_back(fmt::format("{} {}", count, what));
  }

  /// Distinct task values among `tasks`, shuffled by split.seed. Tasks are sorted, so the table's order plays no part.
  std::vector<std::string> shuffled_values(const std::vector<int32_t>& tasks, const char* stream) const {
    std::set<std::string> distinct;
    for (const int32_t t : tasks) distinct.insert(data_.task_ids[t]);
    std::vector<std::string> values(distinct.begin(), distinct.end());
    Random random = Random(s_.split.seed).fork(stream);
    random.shuffle(values);
    return values;
  }

  std::vector<int32_t> all_tasks() const {
    std::vector<int32_t> tasks(data_.tasks());
    std::iota(tasks.begin(), tasks.end(), 0);
    return tasks;
  }

  /// Moves the `valid` share of the training tasks to validation; a task value goes as a whole.
  void draw_valid(double share) {
    std::vector<int32_t> training;
    for (int32_t t = 0; t < data_.tasks(); ++t)
      if (part_[t] == kTrain) training.push_back(t);
    std::vector<std::string> values = shuffled_values(training, "valid");
    const auto count = static_cast<size_t>(std::llround(share * static_cast<double>(values.size())));
    const std::set<std::string> chosen(values.begin(), values.begin() + std::min(count, values.size()));
    for (const int32_t t : training)
      if (chosen.contains(data_.task_ids[t])) part_[t] = kValid;
  }

  void assign_by_shares() {
    const SplitSpec& split = s_.split;
    const std::vector<std::string> values = shuffled_values(all_tasks(), "split");
    const auto n = static_cast<int64_t>(values.size());
    const auto share = [&](double of) -> int64_t { return std::llround(of * static_cast<double>(n)); };
    // Small shops still get something to test on.
    const int64_t test = split.test > 0 && n >= 2 ? std::max<int64_t>(1, share(split.test)) : 0;
    const int64_t valid = split.valid > 0 && n >= 3 ? std::max<int64_t>(1, share(split.valid)) : 0;
    const bool all = split.train + split.valid + split.test > 1 - 1e-9;
    const int64_t train = all ? n - valid - test : std::min(n - valid - test, share(split.train));
    std::map<std::string, int> part_of;
    for (int64_t i = 0; i < n; ++i)
      part_of[values[i]] = i < train ? kTrain : i < train + valid ? kValid : i < train + valid + test ? kTest : kUnused;
    for (int32_t t = 0; t < data_.tasks(); ++t) part_[t] = part_of[data_.task_ids[t]];
    note(n - train - valid - test, "tasks unused: the shares add up to less than 1");
    cells_ = {"test"};
  }

  void assign_by_folds() {
    const std::vector<std::string> values = shuffled_values(all_tasks(), "split");
    const auto folds = s_.split.folds < 0 ? static_cast<int64_t>(values.size()) : s_.split.folds;
    require(s_.split.fold < folds, "split.fold: ", s_.split.fold, " but there are ", folds, " folds (0 is the first)");
    std::set<std::string> tested;
    for (size_t i = 0; i < values.size(); ++i)
      if (static_cast<int64_t>(i) % folds == s_.split.fold) tested.insert(values[i]);
    for (int32_t t = 0; t < data_.tasks(); ++t) part_[t] = tested.contains(data_.task_ids[t]) ? kTest : kTrain;
    draw_valid(s_.split.valid);
    cells_ = {"test"};
  }

  void assign_by_column() {
    const SplitSpec& split = s_.split;
    std::map<std::string, int> part_of;
    for (const auto& value : split.train_values) part_of[value] = kTrain;
    for (const auto& value : split.valid_values) part_of[value] = kValid;
    for (const auto& value : split.test_values) {
      part_of[value] = kTest + static_cast<int>(cells_.size());
      cells_.push_back(value);
    }
    const std::set<std::string> there(data_.task_split.begin(), data_.task_split.end());
    for (const auto& [value, part] : part_of)
      require(there.contains(value), "[split]: no row has '", value, "' in column '", split.column,
              "'; its values: ", fmt::format("{}", fmt::join(there, ", ")));
    int64_t unused = 0;
    for (int32_t t = 0; t < data_.tasks(); ++t) {
      const auto found = part_of.find(data_.task_split[t]);
      part_[t] = found == part_of.end() ? kUnused : found->second;
      unused += found == part_of.end();
    }
    note(unused, "tasks unused: train, valid and test do not list their value of " + split.column);
    if (split.valid_values.empty()) draw_valid(split.valid);
  }

  void assign_by_time() {
    for (int32_t t = 0; t < data_.tasks(); ++t) {
      const Micros first =
          *std::min_element(data_.time.begin() + data_.task_begin[t], data_.time.begin() + data_.task_begin[t + 1]);
      part_[t] = first < *s_.split.time_valid ? kTrain : first < *s_.split.time_test ? kValid : kTest;
    }
    cells_ = {"test"};
  }

  /// The task's rows that stand before `end`.
  TaskRows rows_before(int32_t task, Micros end) const {
    TaskRows result{task, {}};
    const auto first = static_cast<int32_t>(data_.task_begin[task]),
               last = static_cast<int32_t>(data_.task_begin[task + 1]);
    for (int32_t r = first; r < last; ++r)
      if (!cuts_ || data_.time[r] < end) result.rows.push_back(r);
    return result;
  }

  TaskSet tasks_before(int part, Micros end) const {
    TaskSet tasks;
    for (int32_t t = 0; t < data_.tasks(); ++t) {
      if (part_[t] != part) continue;
      TaskRows rows = rows_before(t, end);
      if (!rows.rows.empty()) tasks.push_back(std::move(rows));
    }
    return tasks;
  }

  void collect_training() {
    const Micros valid = s_.split.time_valid.value_or(kNever), test = s_.split.time_test.value_or(kNever);
    result_.train = tasks_before(kTrain, valid);
    result_.train_last = cuts_ ? tasks_before(kTrain, test) : result_.train;
    result_.valid_last = tasks_before(kValid, test);
    seen_valid_ = item_counts(data_, result_.train);
    seen_test_ = cuts_ ? item_counts(data_, result_.train_last) : seen_valid_;
    if (cuts_)
      note(count_rows(result_.train_last) - count_rows(result_.train),
           "training rows after split.time.valid, for the last fit only");
  }

  static int64_t count_rows(const TaskSet& tasks) {
    int64_t rows = 0;
    for (const auto& task : tasks) rows += static_cast<int64_t>(task.rows.size());
    return rows;
  }

  bool has_query_role(const TaskRows& task) const {
    return std::any_of(task.rows.begin(), task.rows.end(), [&](int32_t r) { return data_.role[r] == 2; });
  }

  struct Removed {
    int64_t other_role = 0, unseen = 0, no_query = 0, few = 0, many = 0;
  };

  /// Takes away what an evaluated task may not use; false when the task is not to be evaluated.
  bool admit(TaskRows& task, Micros cut, const std::vector<int32_t>& seen, bool needs_role, Removed& removed) const {
    if (!data_.role.empty() && (needs_role || has_query_role(task)))
      removed.other_role +=
          static_cast<int64_t>(std::erase_if(task.rows, [&](int32_t r) { return data_.role[r] == 0; }));
    if (s_.episode.drop_unseen_items)
      removed.unseen +=
          static_cast<int64_t>(std::erase_if(task.rows, [&](int32_t r) { return seen[data_.item[r]] == 0; }));
    if (beside_) mark_cut(task, cut);
    const bool query = !task.rows.empty() && task.query_from < static_cast<int32_t>(task.rows.size()) &&
                       (data_.role.empty() || !needs_role || has_query_role(task));
    if (!query) return ++removed.no_query, false;
    const int32_t groups = group_count(data_, task);
    if (groups < s_.episode.rows_min) return ++removed.few, false;
    if (s_.episode.rows_max > 0 && groups > s_.episode.rows_max) return ++removed.many, false;
    return true;
  }

  /// The query begins with the first group whose first row is not before the cut; where roles fix the query, the first
  /// of the query's own groups.
  void mark_cut(TaskRows& task, Micros cut) const {
    const bool fixed = !data_.role.empty() && has_query_role(task);
    task.query_from = static_cast<int32_t>(task.rows.size());
    for (size_t i = 0; i < task.rows.size(); ++i) {
      const bool starts = i == 0 || data_.group[task.rows[i]] != data_.group[task.rows[i - 1]];
      if (!starts || data_.time[task.rows[i]] < cut || (fixed && data_.role[task.rows[i]] != 2)) continue;
      task.query_from = static_cast<int32_t>(i);
      return;
    }
  }

  TaskSet admitted(TaskSet tasks, Micros cut, const std::vector<int32_t>& seen, bool needs_role,
                   const std::string& name) {
    Removed removed;
    std::erase_if(tasks, [&](TaskRows& task) { return !admit(task, cut, seen, needs_role, removed); });
    note(removed.other_role, name + " rows left out: another role than support or query");
    note(removed.unseen, name + " rows left out: items that training has not seen");
    note(removed.no_query, name + " tasks left out: no row that could be query");
    note(removed.few, fmt::format("{} tasks left out: fewer than {} {}", name, s_.episode.rows_min, unit()));
    note(removed.many, fmt::format("{} tasks left out: more than {} {}", name, s_.episode.rows_max, unit()));
    return tasks;
  }

  const char* unit() const { return s_.episode.ties.empty() ? "rows" : "groups"; }

  void collect_valid() {
    const Micros cut = s_.split.time_valid.value_or(kNever);
    result_.valid = admitted(result_.valid_last, cut, seen_valid_, false, "validation");
  }

  void collect_test() {
    const Micros cut = s_.split.time_test.value_or(kNever);
    for (size_t c = 0; c < cells_.size(); ++c) {
      TaskSet tasks = tasks_before(kTest + static_cast<int>(c), kNever);
      const std::string name = cells_[c] == "test" ? "test" : "test (" + cells_[c] + ")";
      result_.test.push_back({cells_[c], admitted(std::move(tasks), cut, seen_test_, !data_.role.empty(), name)});
    }
  }

  const Dataset& data_;
  const Scenario& s_;
  bool cuts_, beside_;
  std::vector<int> part_;
  std::vector<std::string> cells_;
  std::vector<int32_t> seen_valid_, seen_test_;
  Partition result_;
};

}  // namespace

Partition make_partition(const Dataset& data, const Scenario& scenario) { return Partitioner(data, scenario).run(); }

}  // namespace fewshop
