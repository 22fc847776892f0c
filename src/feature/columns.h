#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace fewshop {

/// The encoded value of one feature of one entity. Exactly one of the two is used.
struct ColumnView {
  std::span<const float> dense;  // [width] numbers, standardised; no NaN
  std::span<const int32_t> ids;  // vocabulary entries in [0, vocabulary); unknown and missing values have none
};

/// One encoded feature of every entity of a table (items, or task descriptions).
///
///   dense features: dense [rows, width], vocabulary 0
///   id features:    CSR, ids[offsets[r] .. offsets[r + 1]) are the entries of row r; width 0
struct Column {
  std::string name;  // with its prefix: "items.genres"
  int32_t width = 0;
  int32_t vocabulary = 0;
  std::span<const float> dense;
  std::span<const int64_t> offsets;
  std::span<const int32_t> ids;

  ColumnView row(int64_t r) const {
    if (width) return {dense.subspan(r * width, width), {}};
    return {{}, ids.subspan(offsets[r], offsets[r + 1] - offsets[r])};
  }
};

/// Encoded columns of a table; `storage` keeps what the spans point into (vectors, or a mapped cache file).
struct Columns {
  int64_t rows = 0;
  std::vector<Column> columns;
  std::vector<std::shared_ptr<const void>> storage;

  /// The encoded row as one view per column, in column order.
  std::vector<ColumnView> row(int64_t r) const {
    std::vector<ColumnView> views;
    views.reserve(columns.size());
    for (const auto& column : columns) views.push_back(column.row(r));
    return views;
  }
};

}  // namespace fewshop
