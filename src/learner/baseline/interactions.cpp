#include "learner/baseline/interactions.h"

#include <algorithm>
#include <numeric>

namespace fewshop {

Interactions ratings(const FitInput& input) {
  Interactions result;
  result.columns = input.data.items();
  for (const auto& task : input.tasks) {
    for (int32_t row : task.rows) {
      const int32_t item = input.data.item[row];
      if (item < 0 || input.is_hidden(item) || !(input.data.weight[row] > 0)) continue;
      result.column.push_back(item);
      result.value.push_back(input.data.target[row]);
      result.weight.push_back(input.data.weight[row]);
    }
    result.begin.push_back(result.entries());
  }
  return result;
}

Interactions distinct_items(const FitInput& input) {
  Interactions result;
  result.columns = input.data.items();
  std::vector<std::pair<int32_t, float>> items;
  for (const auto& task : input.tasks) {
    items.clear();
    for (int32_t row : task.rows) {
      const int32_t item = input.data.item[row];
      const float evidence = input.data.target[row] * input.data.weight[row];
      if (item >= 0 && !input.is_hidden(item) && evidence > 0) items.emplace_back(item, evidence);
    }
    std::stable_sort(items.begin(), items.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    const auto first = result.column.size();
    for (const auto& [item, evidence] : items) {
      if (result.column.size() > first && result.column.back() == item) {
        result.value.back() += evidence;
      } else {
        result.column.push_back(item);
        result.value.push_back(evidence);
      }
    }
    result.begin.push_back(result.entries());
  }
  result.weight.assign(result.column.size(), 1.0f);
  return result;
}

Interactions transposed(const Interactions& by_task) {
  Interactions result;
  result.columns = by_task.rows();
  result.begin.assign(by_task.columns + 1, 0);
  for (int32_t column : by_task.column) ++result.begin[column + 1];
  std::partial_sum(result.begin.begin(), result.begin.end(), result.begin.begin());
  std::vector<int64_t> next(result.begin.begin(), result.begin.end() - 1);
  result.column.resize(by_task.column.size());
  result.value.resize(by_task.column.size());
  result.weight.resize(by_task.column.size());
  for (int64_t row = 0; row < by_task.rows(); ++row) {
    for (int64_t e = by_task.begin[row]; e < by_task.begin[row + 1]; ++e) {
      const int64_t to = next[by_task.column[e]]++;
      result.column[to] = static_cast<int32_t>(row);
      result.value[to] = by_task.value[e];
      result.weight[to] = by_task.weight[e];
    }
  }
  return result;
}

std::vector<int32_t> column_counts(const Interactions& by_task) {
  std::vector<int32_t> counts(by_task.columns, 0);
  for (int32_t column : by_task.column) ++counts[column];
  return counts;
}

std::vector<int32_t> most_frequent(const std::vector<int32_t>& counts, int64_t limit) {
  std::vector<int32_t> order;
  for (size_t i = 0; i < counts.size(); ++i)
    if (counts[i] > 0) order.push_back(static_cast<int32_t>(i));
  if (static_cast<int64_t>(order.size()) > limit) {
    std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return counts[a] > counts[b]; });
    order.resize(limit);
    std::sort(order.begin(), order.end());
  }
  return order;
}

std::vector<float> tie_break(const std::vector<int32_t>& counts) {
  const int32_t most = counts.empty() ? 0 : *std::max_element(counts.begin(), counts.end());
  std::vector<float> prior(counts.size(), 0.0f);
  if (most > 0)
    for (size_t i = 0; i < counts.size(); ++i)
      prior[i] = 1e-6f * static_cast<float>(counts[i]) / static_cast<float>(most);
  return prior;
}

double weighted_mean(const Interactions& by_task) {
  double weight = 0, sum = 0;
  for (int64_t e = 0; e < by_task.entries(); ++e) {
    weight += by_task.weight[e];
    sum += static_cast<double>(by_task.weight[e]) * by_task.value[e];
  }
  return weight > 0 ? sum / weight : 0;
}

}  // namespace fewshop
