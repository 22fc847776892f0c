#pragma once

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <deque>
#include <string>
#include <vector>

#include "core/random.h"
#include "nn/network_input.h"

namespace fewshop::nn {

// Axes: T tasks, S rows of a task.

/// Columns with random values, some of them missing; owns its arrays.
class RandomColumns {
 public:
  RandomColumns(int64_t rows, Random random) : random_(random) { columns_.rows = rows; }

  RandomColumns& numbers(const std::string& name, int32_t width) {
    auto& dense = dense_.emplace_back();
    for (int64_t i = 0; i < columns_.rows * width; ++i) dense.push_back(static_cast<float>(random_.normal()));
    columns_.columns.push_back({name, width, 0, dense, {}, {}});
    return *this;
  }
  /// Up to `most` entries a row, repeats among them.
  RandomColumns& entries(const std::string& name, int32_t vocabulary, int64_t most) {
    auto& offsets = offsets_.emplace_back(std::vector<int64_t>{0});
    auto& ids = ids_.emplace_back();
    for (int64_t r = 0; r < columns_.rows; ++r) {
      for (int64_t n = random_.between(0, most); n > 0; --n)
        ids.push_back(static_cast<int32_t>(random_.below(static_cast<uint64_t>(vocabulary))));
      offsets.push_back(static_cast<int64_t>(ids.size()));
    }
    columns_.columns.push_back({name, 0, vocabulary, {}, offsets, ids});
    return *this;
  }
  const Columns& columns() const { return columns_; }

 private:
  Random random_;
  Columns columns_;
  std::deque<std::vector<float>> dense_;  // a deque moves nothing
  std::deque<std::vector<int64_t>> offsets_;
  std::deque<std::vector<int32_t>> ids_;
};

inline at::Tensor random_numbers(at::IntArrayRef shape, Random random) {
  at::Tensor x = at::empty(shape, at::kDouble);
  for (int64_t i = 0; i < x.numel(); ++i) x.data_ptr<double>()[i] = random.normal();
  return x;
}

/// Whole numbers in [low, high]; per task one for all rows where `constant`.
inline at::Tensor random_rows(int64_t tasks, int64_t rows, int64_t low, int64_t high, Random random,
                              bool constant = false) {
  at::Tensor x = at::empty({tasks, rows}, at::kLong);
  for (int64_t i = 0; i < x.numel(); ++i)
    x.data_ptr<int64_t>()[i] = constant && i % rows ? x.data_ptr<int64_t>()[i - 1] : random.between(low, high);
  return x;
}

/// One field of every kind, of items, tasks and rows: what any network can read.
class EveryField {
 public:
  explicit EveryField(uint64_t seed = 1)
      : random_(seed), items_(7, random_.fork("items")), tasks_(5, random_.fork("tasks")) {
    items_.numbers("items.price", 2).entries("items.genres", 5, 3).entries("items.words", 6, 4);
    tasks_.entries("tasks.country", 3, 1).entries("tasks.visited", 4, 5);
    item_table_ = std::make_shared<InputTable>(input_table(items_.columns(), {"items.words"}));
    task_table_ = std::make_shared<InputTable>(input_table(tasks_.columns(), {"tasks.visited"}));
  }

  /// Random [T, S] rows, unknown items, tasks and identities among them.
  NetworkInput input(int64_t tasks, int64_t rows, uint64_t draw = 0) const {
    const Random r = random_.fork("input").fork(draw);
    return {random_numbers({tasks, rows, 2}, r.fork("numbers")),
            {{item_table_, random_rows(tasks, rows, -1, 6, r.fork("item"))},
             {task_table_, random_rows(tasks, rows, -1, 4, r.fork("task"), true)}},
            {{"items.id", 7, random_rows(tasks, rows, -1, 6, r.fork("identity"))}}};
  }
  const Columns& items() const { return items_.columns(); }
  const Columns& tasks() const { return tasks_.columns(); }

 private:
  Random random_;
  RandomColumns items_, tasks_;
  std::shared_ptr<InputTable> item_table_, task_table_;
};

/// Rows [from, from + n) of every task; tasks [first, first + t).
inline NetworkInput part_of(const NetworkInput& input, int64_t first, int64_t t, int64_t from, int64_t n) {
  const auto cut = [&](const at::Tensor& x) { return x.narrow(0, first, t).narrow(1, from, n); };
  NetworkInput result = input;
  if (result.numbers.defined()) result.numbers = cut(result.numbers);
  for (auto& part : result.parts) part.row = cut(part.row);
  for (auto& identity : result.identities) identity.id = cut(identity.id);
  return result;
}

}  // namespace fewshop::nn
