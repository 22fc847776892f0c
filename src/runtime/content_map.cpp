#include "runtime/content_map.h"

#include <algorithm>

#include "runtime/member_support.h"

namespace fewshop {

std::vector<ContentMap::Input> ContentMap::inputs_of(const Columns& columns) {
  std::vector<Input> inputs;
  int64_t begin = 0;
  for (const auto& column : columns.columns) {
    inputs.push_back({column.width, column.vocabulary, begin});
    begin += column.width > 0 ? column.width : column.vocabulary;
  }
  return inputs;
}

int64_t ContentMap::dimensions(const std::vector<Input>& inputs) {
  int64_t total = 0;
  for (const auto& input : inputs) total += input.width > 0 ? input.width : input.vocabulary;
  return total;
}

void ContentMap::apply(std::span<const ColumnView> features, std::span<float> out) const {
  std::copy(intercept.begin(), intercept.end(), out.begin());
  visit_content(inputs, features, [&](int64_t row, float value) {
    const float* weight = weights.data() + row * outputs;
    for (int32_t o = 0; o < outputs; ++o) out[o] += value * weight[o];
  });
}

void ContentMap::save(TensorFile& file, const std::string& prefix) const {
  std::vector<int32_t> sizes;
  for (const auto& input : inputs) {
    sizes.push_back(input.width);
    sizes.push_back(input.vocabulary);
  }
  file.put(prefix + ".inputs", sizes, {static_cast<int64_t>(inputs.size()), 2});
  file.put(prefix + ".intercept", intercept);
  file.put(prefix + ".weights", weights, {dimensions(inputs), outputs});
}

ContentMap ContentMap::load(const TensorFile& file, const std::string& prefix) {
  ContentMap map;
  const auto sizes = file.get<int32_t>(prefix + ".inputs");
  map.intercept = file.get<float>(prefix + ".intercept");
  map.weights = file.get<float>(prefix + ".weights");
  map.outputs = static_cast<int32_t>(map.intercept.size());
  const auto weights = static_cast<int64_t>(map.weights.size());
  bool ok = sizes.size() % 2 == 0 && map.outputs > 0;
  int64_t begin = 0;
  for (size_t i = 0; ok && i + 1 < sizes.size(); i += 2) {
    map.inputs.push_back({sizes[i], sizes[i + 1], begin});
    begin += sizes[i] > 0 ? sizes[i] : sizes[i + 1];
    ok = sizes[i] >= 0 && sizes[i + 1] >= 0 && begin <= weights;  // before the product below can overflow
  }
  require(ok && weights == begin * map.outputs, prefix, ": inputs, outputs and weights disagree; the file is damaged");
  require_finite(map.intercept, prefix);
  require_finite(map.weights, prefix);
  return map;
}

}  // namespace fewshop
