#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <vector>

#include "bundle/tensor_file.h"
#include "core/error.h"
#include "runtime/member.h"

namespace fewshop {

// What several members need when they read a file or a support row.

/// Throws InvalidInput unless every value is a finite number.
inline void require_finite(std::span<const float> values, const std::string& what) {
  for (float value : values)
    require(std::isfinite(value), what, ": a value is not a finite number; the file is damaged");
}

/// The only value of a tensor of one element.
template <class T>
T get_one(const TensorFile& file, const std::string& name) {
  const auto values = file.get<T>(name);
  require(values.size() == 1, "member: tensor ", name, ": expected one value, got ", values.size(),
          "; the file is damaged");
  return values[0];
}

template <class T>
void put_one(TensorFile& file, const std::string& name, T value) {
  file.put<T>(name, std::vector<T>{value});
}

/// Sparse rows: the entries of row r are [offsets[r], offsets[r + 1]) of `column`.
/// Throws InvalidInput unless offsets ascend from 0 to the number of entries and every column is in [0, columns).
inline void require_sparse_rows(std::span<const int64_t> offsets, std::span<const int32_t> column, int64_t columns,
                                const std::string& what) {
  bool ok = !offsets.empty() && offsets.front() == 0 && offsets.back() == static_cast<int64_t>(column.size());
  for (size_t r = 1; ok && r < offsets.size(); ++r) ok = offsets[r - 1] <= offsets[r];
  for (size_t e = 0; ok && e < column.size(); ++e) ok = column[e] >= 0 && column[e] < columns;
  require(ok, what, ": sparse rows are inconsistent; the file is damaged");
}

/// How strongly a support row of a ranking problem counts; rows without positive evidence do not.
inline double evidence(const SupportRow& row) {
  const double value = static_cast<double>(row.target) * row.weight;
  return value > 0 && std::isfinite(value) ? value : 0;
}

/// Appends the n items of `found` with the highest positive evidence(item) that are not excluded, in no order; ties go
/// to the smaller index.
/// `scratch` keeps its memory from call to call.
template <class Evidence>
void append_best(std::span<const int32_t> found, int n, const ItemSet& excluded, const Evidence& evidence,
                 std::vector<std::pair<float, int32_t>>& scratch, std::vector<int32_t>& items) {
  // Evidence lies all over memory: it is looked up once, not in every comparison.
  scratch.clear();
  for (const int32_t item : found)
    if (const float value = evidence(item); value > 0 && !excluded.contains(item)) scratch.emplace_back(value, item);
  const auto count = std::min<std::ptrdiff_t>(std::max(n, 0), std::ssize(scratch));
  if (count < std::ssize(scratch))
    std::nth_element(scratch.begin(), scratch.begin() + count, scratch.end(), [](const auto& a, const auto& b) {
      return a.first != b.first ? a.first > b.first : a.second < b.second;
    });
  for (std::ptrdiff_t i = 0; i < count; ++i) items.push_back(scratch[i].second);
}

/// Appends the first n of `best_first` that are not excluded.
inline void append_first(std::span<const int32_t> best_first, int64_t n, const ItemSet& excluded,
                         std::vector<int32_t>& items) {
  for (const int32_t item : best_first) {
    if (n <= 0) return;
    if (excluded.contains(item)) continue;
    items.push_back(item);
    --n;
  }
}

}  // namespace fewshop
