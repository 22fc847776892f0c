#include "runtime/vector_table.h"

#include "bundle/tensor_file.h"
#include "core/error.h"

namespace fewshop {

VectorTable::VectorTable(int32_t size, std::vector<float> vectors)
    : size_(size), vectors_(std::move(vectors)), unknown_(static_cast<size_t>(size > 0 ? size : 0)) {
  require(size > 0 && vectors_.size() % static_cast<size_t>(size) == 0, "vectors: ", vectors_.size(),
          " numbers are no whole vectors of size ", size);
}

std::span<const float> VectorTable::vector(int32_t item) const {
  if (!knows(item)) return unknown_;
  return {vectors_.data() + static_cast<int64_t>(item) * size_, static_cast<size_t>(size_)};
}

void VectorTable::save(TensorFile& file, const std::string& prefix) const {
  file.put<int32_t>(prefix + "size", std::vector<int32_t>{size_});
  file.put(prefix + "vectors", vectors_, {items(), size_});
}

VectorTable VectorTable::load(const TensorFile& file, const std::string& prefix) {
  const auto size = file.get<int32_t>(prefix + "size");
  require(size.size() == 1, "vectors: expected one size, got ", size.size());
  return {size[0], file.get<float>(prefix + "vectors")};
}

}  // namespace fewshop
