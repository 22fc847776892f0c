#include "feature/entity_columns.h"

#include <algorithm>

#include "core/error.h"

namespace fewshop {

EntityColumns::EntityColumns(const Columns& columns) {
  columns_.rows = columns.rows;
  columns_.columns = columns.columns;
  for (const auto& column : columns.columns) {
    Storage& s = storage_.emplace_back();
    s.dense.assign(column.dense.begin(), column.dense.end());
    s.ids.assign(column.ids.begin(), column.ids.end());
    if (!column.offsets.empty()) s.offsets.assign(column.offsets.begin(), column.offsets.end());
  }
  point();
}

void EntityColumns::point() {
  for (size_t c = 0; c < storage_.size(); ++c) {
    columns_.columns[c].dense = storage_[c].dense;
    columns_.columns[c].offsets = storage_[c].offsets;
    columns_.columns[c].ids = storage_[c].ids;
  }
}

void EntityColumns::append(std::span<const ColumnView> views) {
  require(views.empty() || views.size() == storage_.size(), "features: expected ", storage_.size(), " columns, got ",
          views.size());
  for (size_t c = 0; c < storage_.size(); ++c) {
    const Column& column = columns_.columns[c];
    Storage& s = storage_[c];
    if (column.width) {
      const size_t before = s.dense.size();
      s.dense.resize(before + column.width, 0);
      if (!views.empty()) std::copy(views[c].dense.begin(), views[c].dense.end(), s.dense.begin() + before);
    } else {
      if (!views.empty()) s.ids.insert(s.ids.end(), views[c].ids.begin(), views[c].ids.end());
      s.offsets.push_back(static_cast<int64_t>(s.ids.size()));
    }
  }
  ++columns_.rows;
  point();
}

void EntityColumns::replace(int64_t row, std::span<const ColumnView> views) {
  require(row >= 0 && row < columns_.rows, "features: row ", row, " is not one of ", columns_.rows);
  require(views.size() == storage_.size(), "features: expected ", storage_.size(), " columns, got ", views.size());
  for (size_t c = 0; c < storage_.size(); ++c) {
    const Column& column = columns_.columns[c];
    Storage& s = storage_[c];
    if (column.width) {
      std::copy(views[c].dense.begin(), views[c].dense.end(), s.dense.begin() + row * column.width);
      continue;
    }
    const int64_t begin = s.offsets[row], end = s.offsets[row + 1];
    const auto change = static_cast<int64_t>(views[c].ids.size()) - (end - begin);
    s.ids.erase(s.ids.begin() + begin, s.ids.begin() + end);
    s.ids.insert(s.ids.begin() + begin, views[c].ids.begin(), views[c].ids.end());
    for (int64_t r = row + 1; r <= columns_.rows; ++r) s.offsets[r] += change;
  }
  point();
}

}  // namespace fewshop
