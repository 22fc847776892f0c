#pragma once

#include <cstdint>
#include <vector>

#include "runtime/dense/dense_task.h"

namespace fewshop::nn {

/// Gradients that tasks add up to, laid out like the model's own arrays (dense::DenseLayer).
template <class T>
struct DenseGradients {
  struct Layer {
    T *weight, *bias;  // [in, out_pad] (transposed), [out_pad]
    T* step;           // [steps] or, one per coordinate, [steps, in, out_pad]
    T* bias_steps;     // [steps, out_pad]
  };
  std::vector<Layer> layers;
  T* beside = nullptr;

  /// Numbers that they take; with a block of them: lays them out there, all zero.
  int64_t place(const dense::DenseModel<T>& model, T* block);
};

/// Which gradients are asked for, beside those of the initial weights.
struct DenseNeeds {
  int order = 2;
  bool x = true;          // of support and query inputs
  bool step_size = true;  // and step factors
  bool beside = false;

  /// Whether the backward pass goes through the steps; else the adapted weights are all that it reads of a task.
  bool steps() const { return order == 2 || step_size; }
};

/// The backward pass through one adapted task (dense::DenseTask; with `keep` where DenseNeeds::steps()), see
/// nn/dense_inner_loop.h.
///
/// With lambda = the derivative of the outer loss for theta_{k+1} and u = step_size * lambda, one step back is
/// lambda -= H u, and everything else that L depends on receives -d(grad L . u). Both are the derivative of the
/// gradients of L along theta + t u (a dot below): forward tangents first, then tangents of the errors.
///
/// One object belongs to one thread and is used for one task after another.
template <class T>
class DenseBackward {
 public:
  int64_t shape(const dense::DenseTask<T>& task, const DenseNeeds& needs);
  void place(T* block);

  /// `output_gradient` [q, out_pad] of DenseTask::output(). Adds to `gradients`; x_gradient() holds the task's own.
  void run(const T* output_gradient, DenseGradients<T>& gradients);

  /// [n + q, in_pad]: for support, then query inputs.
  const T* x_gradient() const { return x_gradient_; }
  /// [steps, layers, 2]: for the task's step factors; where step sizes are asked for.
  const T* factor_gradient() const { return factor_gradient_; }

 private:
  using Layer = dense::DenseLayer<T>;

  int64_t lay_out(T* block);
  int64_t count() const { return static_cast<int64_t>(task_->model().layers().size()); }
  const Layer& layer(int64_t l) const { return task_->model().layers()[l]; }
  bool dual(int64_t l) const { return l == 0 && task_->dual(); }
  const T* weight(int k, int64_t l);
  void query(const T* output_gradient);
  void tangents(int k, DenseGradients<T>& gradients);
  void direction(int k, int64_t l, DenseGradients<T>& gradients);
  void error_tangents(int k, DenseGradients<T>& gradients);
  void through_layer(int k, int64_t l);
  void subtract_curvature(int k, int64_t l);
  void finish(DenseGradients<T>& gradients);
  void dual_inputs();

  const dense::DenseTask<T>* task_ = nullptr;
  DenseNeeds needs_;
  std::vector<T*> lambda_, lambda_bias_;               // of weights [in, out_pad] and biases [out_pad]
  std::vector<T*> u_;                                  // step_size * lambda where there is one per coordinate
  std::vector<T*> z_dot_, hidden_dot_, error_dot_;     // [n, out_pad], [n, in_pad], [n, out_pad]
  T *query_error_ = nullptr, *query_spare_ = nullptr;  // [q, widest]
  // Dual form: lambda of W_0 is X_q^T query_error - X^T coefficient; X times its first part is from_query.
  T *from_query_ = nullptr, *coefficient_ = nullptr;  // [n, out_pad]
  T *pairs_ = nullptr, *mixing_ = nullptr;            // [n, padded n], [n + q, padded n + q]
  T *turned_ = nullptr, *product_ = nullptr, *beside_ = nullptr, *x_gradient_ = nullptr, *factor_gradient_ = nullptr;
};

extern template class DenseBackward<float>;
extern template class DenseBackward<double>;

}  // namespace fewshop::nn
