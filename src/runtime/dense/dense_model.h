#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "runtime/dense/row_loss.h"
#include "runtime/dense/small_gemm.h"

namespace fewshop::dense {

/// 64-byte-aligned numbers.
template <class T>
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(size_t n) { grow(n); }
  /// At least n numbers; contents are undefined after growth. Never shrinks.
  T* grow(size_t n) {
    if (n > capacity_) {
      data_.reset(static_cast<T*>(::operator new[](n * sizeof(T), std::align_val_t{64})));
      capacity_ = n;
    }
    return data_.get();
  }
  T* get() const { return data_.get(); }
  size_t capacity() const { return capacity_; }

 private:
  struct Free {
    void operator()(T* p) const { ::operator delete[](p, std::align_val_t{64}); }
  };
  std::unique_ptr<T[], Free> data_;
  size_t capacity_ = 0;
};

/// Hands out pieces of one block, or only counts what they need (block = null).
template <class T>
class Layout {
 public:
  explicit Layout(T* block) : block_(block) {}
  T* take(int64_t n) {
    T* piece = block_ ? block_ + used_ : nullptr;
    used_ += (n + kLine - 1) / kLine * kLine;
    return piece;
  }
  int64_t used() const { return used_; }

 private:
  static constexpr int64_t kLine = 64 / sizeof(T);
  T* block_;
  int64_t used_ = 0;
};

/// Step sizes of one tensor in plain form, shape [steps] or [steps, shape of the tensor]; none = it does not adapt.
template <class T>
struct StepSizes {
  std::span<const T> values;
  bool per_coordinate = false;
};

/// What one layer looks like to the loops: padded, and in both orientations.
template <class T>
struct DenseLayer {
  int64_t in = 0, out = 0, in_pad = 0, out_pad = 0;
  const T* weight = nullptr;      // [out, in_pad]
  const T* transposed = nullptr;  // [in, out_pad]
  const T* bias = nullptr;        // [out_pad]
  const T* step = nullptr;        // [steps] of the weight; null = one per coordinate, or none
  const T* steps = nullptr;       // [steps, in, out_pad] of the weight, transposed
  const T* bias_steps = nullptr;  // [steps, out_pad]; zeros where the bias does not adapt

  bool adapts() const { return step || steps; }
};

/// A perceptron, its step sizes and its loss, laid out for adapting tasks. Immutable, shared by all threads.
template <class T>
class DenseModel {
 public:
  /// weights: W_0 [sizes[1], sizes[0]], b_0 ..., row-major; step_sizes: one per weight. `beside` of the loss is copied.
  DenseModel(std::span<const int64_t> sizes, bool smooth, int steps, Family family, std::span<const T> beside,
             std::span<const T* const> weights, std::span<const StepSizes<T>> step_sizes);

  const std::vector<DenseLayer<T>>& layers() const { return layers_; }
  const RowLoss<T>& loss() const { return loss_; }
  bool smooth() const { return smooth_; }
  int steps() const { return steps_; }
  /// Layers below the first one of which anything adapts.
  int64_t frozen_layers() const { return frozen_layers_; }

  /// Whether the first layer is better kept in its dual form for a task of `rows` support rows: steps then multiply by
  /// [rows, rows] instead of by [rows, inputs] twice. One step size per coordinate has no dual form.
  bool dual(int64_t rows) const { return layers_.front().step && rows <= 2 * layers_.front().in; }

 private:
  std::vector<DenseLayer<T>> layers_;
  bool smooth_;
  int steps_;
  int64_t frozen_layers_ = 0;
  std::vector<T> beside_;
  RowLoss<T> loss_;
  AlignedBuffer<T> storage_;
};

extern template class DenseModel<float>;
extern template class DenseModel<double>;

}  // namespace fewshop::dense
