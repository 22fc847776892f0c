#pragma once

#include <cstdint>
#include <vector>

#include "bundle/tensor_file.h"
#include "feature/columns.h"
#include "feature/encoders.h"

namespace fewshop {

/// Encoded features of a model's items as tensors: "item_features.N.dense", or "item_features.N.offsets" and
/// "item_features.N.ids", for column N.
void put_item_features(TensorFile& file, const Columns& columns);

/// `rows` items; the result owns its memory. Throws InvalidInput where a tensor is missing, of another size, or names
/// an entry that the vocabulary does not have.
Columns get_item_features(const TensorFile& file, const std::vector<ColumnEncoder>& encoders, int64_t rows);

/// Whether there are any.
bool has_item_features(const TensorFile& file);

}  // namespace fewshop
