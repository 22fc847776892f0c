#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
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

/// Leaves the n best of pairs (positive evidence, item), in no order: the highest evidence, ties to the smaller index.
inline void keep_best(std::vector<std::pair<float, int32_t>>& pairs, size_t n) {
  if (pairs.size() <= n) return;
  if (n == 0) return pairs.clear();
  // Positive numbers are ordered as their bits are. Pairs are counted by the first bits (1/8 of an octave), so
  // that all but those of the one class in which the n-th best lies are sorted out without comparing them to one
  // another.
  constexpr int kShift = 20;
  const auto class_of = [](float value) { return std::bit_cast<uint32_t>(value) >> kShift; };
  std::array<uint32_t, (1U << 31 >> kShift)> count{};
  for (const auto& pair : pairs) ++count[class_of(pair.first)];
  size_t better = 0, last = count.size();
  while (better < n) better += count[--last];
  const auto end = std::partition(pairs.begin(), pairs.end(), [&](const auto& p) { return class_of(p.first) >= last; });
  pairs.erase(end, pairs.end());
  std::nth_element(
      pairs.begin(), pairs.begin() + static_cast<std::ptrdiff_t>(n) - 1, pairs.end(),
      [](const auto& a, const auto& b) { return a.first != b.first ? a.first > b.first : a.second < b.second; });
  pairs.resize(n);
}

/// Appends the n items of `found` with the highest positive evidence that are not excluded, in no order; ties go to the
/// smaller index. evidence(i) is that of found[i].
/// `scratch` keeps its memory from call to call.
template <class Evidence>
void append_best(std::span<const int32_t> found, int n, const ItemSet& excluded, const Evidence& evidence,
                 std::vector<std::pair<float, int32_t>>& scratch, std::vector<int32_t>& items) {
  // Evidence lies all over memory: it is looked up once, not in every comparison.
  scratch.clear();
  for (size_t i = 0; i < found.size(); ++i)
    if (const float value = evidence(i); value > 0 && !excluded.contains(found[i]))
      scratch.emplace_back(value, found[i]);
  keep_best(scratch, static_cast<size_t>(std::max(n, 0)));
  for (const auto& [value, item] : scratch) items.push_back(item);
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
