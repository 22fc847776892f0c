#include "runtime/item_features_file.h"

#include <memory>
#include <string>

#include "runtime/member_support.h"

namespace fewshop {
namespace {

std::string tensor_of(size_t column, const char* what) {
  return "item_features." + std::to_string(column) + "." + what;
}

struct Arrays {
  std::vector<std::vector<float>> dense;
  std::vector<std::vector<int64_t>> offsets;
  std::vector<std::vector<int32_t>> ids;
};

}  // namespace

void put_item_features(TensorFile& file, const Columns& columns) {
  for (size_t c = 0; c < columns.columns.size(); ++c) {
    const Column& column = columns.columns[c];
    if (column.width) {
      file.put(tensor_of(c, "dense"), column.dense, {columns.rows, column.width});
    } else {
      file.put(tensor_of(c, "offsets"), column.offsets);
      file.put(tensor_of(c, "ids"), column.ids);
    }
  }
}

Columns get_item_features(const TensorFile& file, const std::vector<ColumnEncoder>& encoders, int64_t rows) {
  const auto arrays = std::make_shared<Arrays>();
  Columns columns{rows, {}, {arrays}};
  arrays->dense.resize(encoders.size());
  arrays->offsets.resize(encoders.size());
  arrays->ids.resize(encoders.size());
  for (size_t c = 0; c < encoders.size(); ++c) {
    const std::string name = "item_features." + std::to_string(c);
    Column column{
        encoders[c].spec.name, encoders[c].width, static_cast<int32_t>(encoders[c].vocabulary.size()), {}, {}, {}};
    if (column.width) {
      arrays->dense[c] = file.get<float>(tensor_of(c, "dense"));
      column.dense = arrays->dense[c];
      require(column.dense.size() == static_cast<size_t>(rows * column.width), name, ": wrong size");
      require_finite(column.dense, name);
    } else {
      arrays->offsets[c] = file.get<int64_t>(tensor_of(c, "offsets"));
      arrays->ids[c] = file.get<int32_t>(tensor_of(c, "ids"));
      column.offsets = arrays->offsets[c];
      column.ids = arrays->ids[c];
      require(column.offsets.size() == static_cast<size_t>(rows + 1), name, ": wrong size");
      require_sparse_rows(column.offsets, column.ids, column.vocabulary, name);
    }
    columns.columns.push_back(column);
  }
  return columns;
}

bool has_item_features(const TensorFile& file) {
  return file.has(tensor_of(0, "dense")) || file.has(tensor_of(0, "offsets"));
}

}  // namespace fewshop
