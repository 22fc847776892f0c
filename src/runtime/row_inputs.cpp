#include "runtime/row_inputs.h"

#include <limits>

#include "bundle/tensor_file.h"
#include "core/error.h"

namespace fewshop {
namespace {

std::vector<int32_t> flat(const std::vector<ContentMap::Input>& inputs) {
  std::vector<int32_t> sizes;
  for (const auto& input : inputs) sizes.insert(sizes.end(), {input.width, input.vocabulary});
  return sizes;
}

std::vector<ContentMap::Input> inputs_from(const TensorFile& file, const std::string& name) {
  const auto sizes = file.get<int32_t>(name);
  std::vector<ContentMap::Input> inputs;
  for (size_t i = 0; i + 1 < sizes.size(); i += 2) {
    require(sizes[i] >= 0 && sizes[i + 1] >= 0, name, ": negative sizes");
    inputs.push_back({sizes[i], sizes[i + 1], 0});
  }
  return inputs;
}

}  // namespace

double dot(const SparseRow& a, const SparseRow& b) {
  double sum = 0;
  for (size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    if (a.index[i] == b.index[j])
      sum += static_cast<double>(a.value[i++]) * b.value[j++];
    else
      a.index[i] < b.index[j] ? ++i : ++j;
  }
  return sum;
}

RowInputs::RowInputs(std::vector<ContentMap::Input> row, int32_t items, std::vector<ContentMap::Input> description)
    : row_(std::move(row)), description_(std::move(description)), items_(items) {
  const auto place = [&](std::vector<ContentMap::Input>& inputs) {
    for (auto& input : inputs) {
      input.begin = size_;
      size_ += input.width > 0 ? input.width : input.vocabulary;
    }
  };
  place(row_);
  size_ += items_;
  own_size_ = size_;
  place(description_);
  require(size_ < std::numeric_limits<int32_t>::max(), "row inputs: ", size_, " are too many");
}

void RowInputs::flatten(const RowInput& row, std::span<const ColumnView> description, SparseRow& out) const {
  out.clear();
  const auto put = [&](int64_t index, float value) {
    out.index.push_back(static_cast<int32_t>(index));
    out.value.push_back(value);
  };
  visit_content(row_, row.features, put);
  if (row.item >= 0 && row.item < items_) put(own_size_ - items_ + row.item, 1);
  visit_content(description_, description, put);
  // Entries of a bag stand in the order of its text.
  for (size_t i = 1; i < out.size(); ++i)
    for (size_t j = i; j > 0 && out.index[j] < out.index[j - 1]; --j) {
      std::swap(out.index[j], out.index[j - 1]);
      std::swap(out.value[j], out.value[j - 1]);
    }
}

void RowInputs::save(TensorFile& file) const {
  file.put("inputs.row", flat(row_));
  file.put("inputs.description", flat(description_));
  file.put("inputs.items", std::vector<int32_t>{items_});
}

RowInputs RowInputs::load(const TensorFile& file) {
  const auto items = file.get<int32_t>("inputs.items");
  require(items.size() == 1 && items[0] >= 0, "inputs.items: expected one number from 0");
  return {inputs_from(file, "inputs.row"), items[0], inputs_from(file, "inputs.description")};
}

}  // namespace fewshop
