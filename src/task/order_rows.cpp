#include "task/order_rows.h"

#include <algorithm>
#include <numeric>
#include <tuple>

#include "core/cancel.h"
#include "core/hash.h"

namespace fewshop {
namespace {

/// Position of every text in the sorted list of all: comparing texts becomes comparing numbers.
std::vector<int32_t> ranks(const std::vector<std::string>& texts) {
  std::vector<int32_t> order(texts.size()), rank(texts.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return texts[a] < texts[b]; });
  for (size_t i = 0; i < order.size(); ++i) rank[order[i]] = static_cast<int32_t>(i);
  return rank;
}

/// One row while its task is put in order.
struct Entry {
  int32_t row;
  int8_t role;          // 0 support, 1 query, 2 none
  int64_t tie;          // equal value, same group
  Micros group_time;    // of the group's first row
  int64_t group_first;  // least table position of the group
  int32_t group;
};

class Orderer {
 public:
  Orderer(RawRows& rows, const Scenario& scenario) : rows_(rows), s_(scenario) {
    by_time_ties_ = s_.episode.ties == "time";
    item_rank_ = ranks(rows.items.texts());
    tie_rank_ = ranks(rows.ties.texts());
    kind_rank_ = ranks(rows.kinds.texts());
    sort_tasks();
  }

  Dataset run() {
    allocate();
    std::vector<Entry> entries;
    for (size_t t = 0; t < task_order_.size(); ++t) {
      if (t % 1024 == 0) check_cancelled();
      entries.clear();
      for (int64_t i = begin_[t]; i < begin_[t + 1]; ++i) entries.push_back(entry(by_task_[i]));
      if (s_.episode.by_time)
        order_by_time(entries);
      else
        order_randomly(entries, static_cast<int32_t>(t));
      number_groups(entries);
      for (const Entry& e : entries) write(e, static_cast<int32_t>(t));
    }
    take_texts();
    return std::move(data_);
  }

 private:
  /// Tasks by split value and task value; rows counted into their tasks.
  void sort_tasks() {
    const auto split_rank = ranks(rows_.splits.texts()), value_rank = ranks(rows_.values.texts());
    const size_t tasks = rows_.tasks.size();
    task_order_.resize(tasks);
    std::iota(task_order_.begin(), task_order_.end(), 0);
    const auto key = [&](int32_t t) {
      return std::pair(split_rank[rows_.tasks[t].split], value_rank[rows_.tasks[t].value]);
    };
    std::sort(task_order_.begin(), task_order_.end(), [&](int32_t a, int32_t b) { return key(a) < key(b); });
    std::vector<int32_t> position(tasks);
    for (size_t i = 0; i < tasks; ++i) position[task_order_[i]] = static_cast<int32_t>(i);
    begin_.assign(tasks + 1, 0);
    for (const int32_t t : rows_.task) ++begin_[position[t] + 1];
    std::partial_sum(begin_.begin(), begin_.end(), begin_.begin());
    std::vector<int64_t> next(begin_.begin(), begin_.end() - 1);
    by_task_.resize(rows_.rows());
    for (int32_t r = 0; r < rows_.rows(); ++r) by_task_[next[position[rows_.task[r]]]++] = r;
  }

  Entry entry(int32_t r) const {
    const int8_t given = rows_.role.empty() ? 0 : rows_.role[r];
    const int64_t tie = by_time_ties_ ? rows_.time[r] : rows_.tie.empty() ? r : tie_rank_[rows_.tie[r]];
    return {r, static_cast<int8_t>(given == 0 ? 2 : given - 1), tie, rows_.time[r], rows_.source[r], 0};
  }

  /// Gives every row the time and table position of the first row of its group; sorts by (role, tie).
  void find_groups(std::vector<Entry>& entries) const {
    std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
      return std::tie(a.role, a.tie, a.row) < std::tie(b.role, b.tie, b.row);
    });
    for (size_t begin = 0, end; begin < entries.size(); begin = end) {
      Micros time = entries[begin].group_time;
      for (end = begin; end < entries.size() && same_group(entries[end], entries[begin]); ++end)
        time = std::min(time, rows_.time[entries[end].row]);
      for (size_t i = begin; i < end; ++i) {
        entries[i].group_time = time;
        entries[i].group_first = rows_.source[entries[begin].row];
      }
    }
  }

  static bool same_group(const Entry& a, const Entry& b) { return a.role == b.role && a.tie == b.tie; }

  void order_by_time(std::vector<Entry>& entries) const {
    find_groups(entries);
    std::sort(entries.begin(), entries.end(), [&](const Entry& a, const Entry& b) {
      return std::tuple(a.role, a.group_time, a.group_first, a.tie, rows_.time[a.row], a.row) <
             std::tuple(b.role, b.group_time, b.group_first, b.tie, rows_.time[b.row], b.row);
    });
  }

  /// Sorts by content first, so that the draw does not depend on the order of the table, then shuffles whole groups.
  void order_randomly(std::vector<Entry>& entries, int32_t task) const {
    const bool ties = by_time_ties_ || !rows_.tie.empty();
    const auto content = [&](const Entry& e) {
      return std::tuple(e.role, ties ? e.tie : 0, item_rank(e.row), rows_.target[e.row], rows_.time[e.row],
                        kind_rank_[rows_.kind[e.row]], e.row);
    };
    std::sort(entries.begin(), entries.end(), [&](const Entry& a, const Entry& b) { return content(a) < content(b); });
    std::vector<std::pair<size_t, size_t>> groups;
    for (size_t begin = 0, end; begin < entries.size(); begin = end) {
      for (end = begin; end < entries.size() && same_group(entries[end], entries[begin]);) ++end;
      groups.emplace_back(begin, end);
    }
    const auto& key = rows_.tasks[task_order_[task]];
    const uint64_t hash = hash64(rows_.values.texts()[key.value], hash64(rows_.splits.texts()[key.split]));
    Random random = Random(s_.split.seed).fork("order").fork(hash);
    random.shuffle(groups);
    std::stable_sort(groups.begin(), groups.end(),
                     [&](const auto& a, const auto& b) { return entries[a.first].role < entries[b.first].role; });
    std::vector<Entry> shuffled;
    shuffled.reserve(entries.size());
    for (const auto& [begin, end] : groups)
      shuffled.insert(shuffled.end(), entries.begin() + begin, entries.begin() + end);
    entries = std::move(shuffled);
  }

  int32_t item_rank(int32_t row) const { return rows_.item[row] < 0 ? -1 : item_rank_[rows_.item[row]]; }

  static void number_groups(std::vector<Entry>& entries) {
    for (size_t i = 1; i < entries.size(); ++i)
      entries[i].group = entries[i - 1].group + !same_group(entries[i], entries[i - 1]);
  }

  void allocate() {
    const size_t count = rows_.rows();
    data_.task.reserve(count);
    data_.item.reserve(count);
    data_.target.reserve(count);
    data_.weight.reserve(count);
    data_.time.reserve(count);
    data_.kind.reserve(count);
    data_.group.reserve(count);
    data_.source.reserve(count);
    if (!rows_.role.empty()) data_.role.reserve(count);
  }

  void write(const Entry& e, int32_t task) {
    data_.task.push_back(task);
    data_.item.push_back(rows_.item[e.row]);
    data_.target.push_back(rows_.target[e.row]);
    data_.weight.push_back(rows_.weight[e.row]);
    data_.time.push_back(rows_.time[e.row]);
    data_.kind.push_back(static_cast<uint8_t>(kind_rank_[rows_.kind[e.row]]));
    data_.group.push_back(e.group);
    data_.source.push_back(rows_.source[e.row]);
    if (!rows_.role.empty()) data_.role.push_back(rows_.role[e.row]);
  }

  void take_texts() {
    data_.task_begin = begin_;
    for (const int32_t t : task_order_) {
      data_.task_ids.push_back(rows_.values.texts()[rows_.tasks[t].value]);
      data_.task_split.push_back(rows_.splits.texts()[rows_.tasks[t].split]);
    }
    data_.item_ids = rows_.items.texts();
    data_.classes = std::move(rows_.classes);
    data_.kinds.resize(kind_rank_.size());
    for (size_t k = 0; k < kind_rank_.size(); ++k) data_.kinds[kind_rank_[k]] = rows_.kinds.texts()[k];
  }

  RawRows& rows_;
  const Scenario& s_;
  bool by_time_ties_ = false;
  std::vector<int32_t> item_rank_, tie_rank_, kind_rank_, task_order_, by_task_;
  std::vector<int64_t> begin_;
  Dataset data_;
};

}  // namespace

Dataset order_rows(RawRows&& rows, const Scenario& scenario) { return Orderer(rows, scenario).run(); }

}  // namespace fewshop
