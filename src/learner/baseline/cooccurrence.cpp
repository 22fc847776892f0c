#include "learner/baseline/cooccurrence.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/parallel.h"

namespace fewshop {

void visit_pairs(const Interactions& by_task, const Interactions& by_item, std::span<const int32_t> items,
                 bool products, int threads, const std::function<void(int32_t item, const PairSums& sums)>& visit) {
  const auto columns = static_cast<size_t>(by_task.columns);
  // Tasks reduced to the listed items, so that the inner loop has no test in it.
  std::vector<uint8_t> listed(columns, 0);
  for (int32_t item : items) listed[item] = 1;
  std::vector<int64_t> begin{0};
  std::vector<int32_t> column;
  std::vector<float> value;
  column.reserve(by_task.column.size());
  if (products) value.reserve(by_task.column.size());
  for (int64_t t = 0; t < by_task.rows(); ++t) {
    for (int64_t e = by_task.begin[t]; e < by_task.begin[t + 1]; ++e) {
      if (!listed[by_task.column[e]]) continue;
      column.push_back(by_task.column[e]);
      if (products) value.push_back(by_task.value[e]);
    }
    begin.push_back(static_cast<int64_t>(column.size()));
  }

  struct Sums {
    std::vector<float> count, product;
  };
  std::vector<Sums> workers(thread_count(threads));
  parallel_for(static_cast<int64_t>(items.size()), threads, 16, [&](int64_t first, int64_t last, int worker) {
    auto& sums = workers[worker];
    for (int64_t i = first; i < last; ++i) {
      const int32_t item = items[i];
      sums.count.assign(columns, 0.0f);
      if (products) sums.product.assign(columns, 0.0f);
      for (int64_t e = by_item.begin[item]; e < by_item.begin[item + 1]; ++e) {
        const int32_t task = by_item.column[e];
        const int64_t from = begin[task], to = begin[task + 1];
        if (products) {
          const float own = by_item.value[e];
          for (int64_t k = from; k < to; ++k) {
            sums.count[column[k]] += 1;
            sums.product[column[k]] += own * value[k];
          }
        } else {
          for (int64_t k = from; k < to; ++k) sums.count[column[k]] += 1;
        }
      }
      visit(item, {sums.count, sums.product});
    }
  });
}

void keep_largest(std::vector<Weight>& weights, int keep) {
  if (static_cast<int64_t>(weights.size()) > keep) {
    const auto larger = [](const Weight& a, const Weight& b) {
      const float left = std::abs(a.value), right = std::abs(b.value);
      return left != right ? left > right : a.item < b.item;
    };
    std::nth_element(weights.begin(), weights.begin() + keep, weights.end(), larger);
    weights.resize(keep);
  }
  std::sort(weights.begin(), weights.end(), [](const Weight& a, const Weight& b) { return a.item < b.item; });
  weights.shrink_to_fit();
}

void insert_self(std::vector<Weight>& weights, int32_t item, double self) {
  const auto place =
      std::find_if(weights.begin(), weights.end(), [&](const Weight& weight) { return weight.item > item; });
  weights.insert(place, {item, static_cast<float>(self)});
}

SparseRows sparse_rows(std::vector<std::vector<Weight>>& per_support_item) {
  SparseRows rows;
  size_t entries = 0;
  for (const auto& weights : per_support_item) entries += weights.size();
  rows.offsets.reserve(per_support_item.size() + 1);
  rows.column.reserve(entries);
  rows.value.reserve(entries);
  for (auto& weights : per_support_item) {
    for (const Weight& weight : weights) {
      rows.column.push_back(weight.item);
      rows.value.push_back(weight.value);
    }
    rows.offsets.push_back(static_cast<int64_t>(rows.column.size()));
    std::vector<Weight>().swap(weights);
  }
  return rows;
}

SparseRows by_support_item(const std::vector<std::vector<Weight>>& per_scored_item) {
  SparseRows rows;
  rows.offsets.assign(per_scored_item.size() + 1, 0);
  for (const auto& weights : per_scored_item)
    for (const Weight& weight : weights) ++rows.offsets[weight.item + 1];
  std::partial_sum(rows.offsets.begin(), rows.offsets.end(), rows.offsets.begin());
  rows.column.resize(rows.offsets.back());
  rows.value.resize(rows.offsets.back());
  std::vector<int64_t> next(rows.offsets.begin(), rows.offsets.end() - 1);
  for (size_t scored = 0; scored < per_scored_item.size(); ++scored) {
    for (const Weight& weight : per_scored_item[scored]) {
      const int64_t to = next[weight.item]++;
      rows.column[to] = static_cast<int32_t>(scored);
      rows.value[to] = weight.value;
    }
  }
  return rows;
}

}  // namespace fewshop
