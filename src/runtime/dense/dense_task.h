#pragma once

#include <cstdint>
#include <vector>

#include "runtime/dense/dense_model.h"

namespace fewshop::dense {

// Axes: n support rows of one task, q query rows, L layers.

/// The support rows of one task, without padding rows.
template <class T>
struct TaskRows {
  const T* x = nullptr;       // [n, inputs]
  const T* target = nullptr;  // [n]
  const T* weight = nullptr;  // [n]
  const T* offset = nullptr;  // [n]; null = 0
  // [steps, layers, 2]: what the step sizes of weight and bias are multiplied by; null = 1
  const T* step_factor = nullptr;
};

/// One task on its way through the inner loop, all in one block of memory.
///
/// Life cycle: shape() tells how large the block is, place() lays it out, then adapt(), predict(). With `keep` every
/// step's activations, errors and weights stay for the backward pass; without, steps overwrite each other, and layers
/// below the first one that adapts are computed once. Nothing is allocated for a task that is not larger than all
/// before.
template <class T>
class DenseTask {
 public:
  /// Numbers of the block for a task of this size.
  int64_t shape(const DenseModel<T>& model, int64_t support, int64_t query, bool keep);
  /// `block` is 64-byte-aligned and outlives the use of this object.
  void place(T* block);

  /// All inner steps.
  void adapt(const TaskRows<T>& rows);
  /// Outputs of the adapted network for query rows [q, inputs]: [q, out_pad of the last layer].
  const T* predict(const T* x_query);
  /// The adapted weight [out, in] and bias [out] of a layer, without padding.
  void adapted(int64_t layer, T* weight, T* bias);

  // What the backward pass reads.
  T weight_factor(int k, int64_t l) const { return step_factor_ ? step_factor_[2 * (k * layers() + l)] : T(1); }
  T bias_factor(int k, int64_t l) const { return step_factor_ ? step_factor_[2 * (k * layers() + l) + 1] : T(1); }
  const DenseModel<T>& model() const { return *model_; }
  int64_t support() const { return n_; }
  int64_t query() const { return q_; }
  bool dual() const { return dual_; }
  int64_t gram_stride() const { return padded<T>(n_); }
  const T* rows() const { return rows_; }                // [n + q, in_pad]: support, then query rows
  const T* gram() const { return gram_; }                // [n + q, padded n]: inner products with support rows
  const T* target() const { return target_; }            // [n]
  const T* weight() const { return weight_; }            // [n]
  const T* combination() const { return combination_; }  // [n, out_pad]: W_0 moved by -combination^T X
  const T* hidden(int k, int64_t l) const { return at(hidden_, k, l); }  // [n, in_pad]: input of layer l in step k
  const T* error(int k, int64_t l) const { return at(error_, k, l); }    // [n, out_pad]: dL/dz of layer l
  const T* kept(int k) const { return kept_[slot(k)]; }                  // [n, out_pad]: of the loss
  const T* transposed(int k, int64_t l) const {
    return at(transposed_, k, l);
  }                                                                    // [in, out_pad]: before step k; k = K too
  const T* query_hidden(int64_t l) const { return query_hidden_[l]; }  // [q, in_pad]
  const T* output() const { return output_; }

 private:
  int64_t lay_out(T* block);
  int64_t layers() const { return static_cast<int64_t>(model_->layers().size()); }
  int slot(int k) const { return keep_ ? k : 0; }
  T* at(const std::vector<T*>& table, int k, int64_t l) const { return table[slot(k) * layers() + l]; }
  void take_rows(const T* x, int64_t begin, int64_t end);
  int64_t first_moving() const { return keep_ ? 0 : model_->frozen_layers(); }
  void forward(int k);
  void backward(int k);
  void step(int k);

  const DenseModel<T>* model_ = nullptr;
  const T* step_factor_ = nullptr;  // the caller's
  int64_t n_ = 0, q_ = 0;
  bool keep_ = false, dual_ = false;
  T *rows_ = nullptr, *transposed_rows_ = nullptr, *gram_ = nullptr, *first_ = nullptr, *combination_ = nullptr;
  T *target_ = nullptr, *weight_ = nullptr, *offset_ = nullptr, *output_ = nullptr;
  T *turned_ = nullptr, *gradient_ = nullptr;
  std::vector<T*> hidden_, error_, kept_, transposed_, bias_, query_hidden_;
};

extern template class DenseTask<float>;
extern template class DenseTask<double>;

}  // namespace fewshop::dense
