#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "feature/columns.h"

namespace fewshop {

class TensorFile;

/// A linear map from encoded features to a vector, as ridge regression fits it:
///
///   out = intercept + sum over columns of  (dense: x W_c)  or  (ids: sum of W_c[id] / sqrt(number of ids))
///
/// A bag is divided by the root of its size, so that every id column has the same length whatever the bag holds.
struct ContentMap {
  struct Input {
    int32_t width = 0, vocabulary = 0;  // as Column
    int64_t begin = 0;                  // first of its rows in `weights`
  };

  int32_t outputs = 0;
  std::vector<Input> inputs;
  std::vector<float> intercept;  // [outputs]
  std::vector<float> weights;    // [sum of widths and vocabularies, outputs]

  /// The inputs for these columns, without weights.
  static std::vector<Input> inputs_of(const Columns& columns);
  static int64_t dimensions(const std::vector<Input>& inputs);

  /// out [outputs]. Features missing at the end, ids outside the vocabulary and values that are not finite add nothing.
  void apply(std::span<const ColumnView> features, std::span<float> out) const;

  void save(TensorFile& file, const std::string& prefix) const;
  /// Throws InvalidInput where sizes disagree.
  static ContentMap load(const TensorFile& file, const std::string& prefix);
};

/// Calls visit(row of weights, value) for every non-zero input of one entity.
template <class Visitor>
void visit_content(const std::vector<ContentMap::Input>& inputs, std::span<const ColumnView> features,
                   Visitor&& visit) {
  for (size_t c = 0; c < inputs.size() && c < features.size(); ++c) {
    const auto& input = inputs[c];
    const auto& view = features[c];
    if (input.width > 0) {
      for (int32_t i = 0; i < input.width && i < static_cast<int32_t>(view.dense.size()); ++i)
        if (view.dense[i] != 0 && std::isfinite(view.dense[i])) visit(input.begin + i, view.dense[i]);
    } else if (!view.ids.empty()) {
      const float value = 1 / std::sqrt(static_cast<float>(view.ids.size()));
      for (int32_t id : view.ids)
        if (id >= 0 && id < input.vocabulary) visit(input.begin + id, value);
    }
  }
}

}  // namespace fewshop
