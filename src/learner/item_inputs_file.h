#pragma once

#include "bundle/tensor_file.h"
#include "learner/item_inputs.h"

namespace fewshop::learning {

/// Writes what a network reads of items, and reads it back; every size is checked. Throws InvalidInput for damage.
void save_item_inputs(TensorFile& file, const ItemInputs& inputs);
ItemInputs load_item_inputs(const TensorFile& file);

}  // namespace fewshop::learning
