#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace fewshop {

class TensorFile;

/// Feature vectors by item number, computed when training ended: what stands in at serving time for a network without a
/// form of its own there (gru, lstm, transformer). An item that comes later has no vector and gets 0.
class VectorTable {
 public:
  VectorTable() = default;
  /// vectors [items, size], row by row. Throws InvalidInput where the numbers are no whole vectors.
  VectorTable(int32_t size, std::vector<float> vectors);

  int32_t size() const { return size_; }
  int32_t items() const { return size_ ? static_cast<int32_t>(vectors_.size() / static_cast<size_t>(size_)) : 0; }
  bool knows(int32_t item) const { return item >= 0 && item < items(); }
  /// [size]; zeros for an item that is not known.
  std::span<const float> vector(int32_t item) const;

  /// Names in the file begin with `prefix`.
  void save(TensorFile& file, const std::string& prefix) const;
  static VectorTable load(const TensorFile& file, const std::string& prefix);

 private:
  int32_t size_ = 0;
  std::vector<float> vectors_, unknown_;
};

}  // namespace fewshop
