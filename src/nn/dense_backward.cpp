#include "nn/dense_backward.h"

#include <algorithm>
#include <utility>

#include "runtime/dense/row_operations.h"

namespace fewshop::nn {

using dense::add_row_sum;
using dense::add_scaled;
using dense::Layout;
using dense::Left;
using dense::multiply;
using dense::padded;
using dense::times_slope;
using dense::transpose;

template <class T>
int64_t DenseGradients<T>::place(const dense::DenseModel<T>& model, T* block) {
  Layout<T> layout(block);
  layers.resize(model.layers().size());
  for (size_t l = 0; l < layers.size(); ++l) {
    const auto& layer = model.layers()[l];
    const int64_t size = layer.in * layer.out_pad;
    layers[l] = {layout.take(size), layout.take(layer.out_pad), layout.take(model.steps() * (layer.steps ? size : 1)),
                 layout.take(model.steps() * layer.out_pad)};
  }
  beside = layout.take(static_cast<int64_t>(model.loss().beside().size()));
  if (block) std::fill_n(block, layout.used(), T(0));
  return layout.used();
}

template <class T>
int64_t DenseBackward<T>::shape(const dense::DenseTask<T>& task, const DenseNeeds& needs) {
  task_ = &task;
  needs_ = needs;
  return lay_out(nullptr);
}

template <class T>
void DenseBackward<T>::place(T* block) {
  lay_out(block);
}

template <class T>
int64_t DenseBackward<T>::lay_out(T* block) {
  Layout<T> layout(block);
  const int64_t n = task_->support(), q = task_->query(), all = n + q;
  for (auto* table : {&lambda_, &lambda_bias_, &u_, &z_dot_, &hidden_dot_, &error_dot_}) table->resize(count());
  int64_t widest = 0, largest = padded<T>(layer(0).out_pad) * padded<T>(n);
  for (int64_t l = 0; l < count(); ++l) {
    const Layer& a = layer(l);
    const int64_t size = a.in * a.out_pad;
    widest = std::max({widest, a.in_pad, a.out_pad});
    largest = std::max({largest, size, padded<T>(a.out) * a.in_pad});
    lambda_[l] = layout.take(dual(l) ? 0 : size);
    lambda_bias_[l] = layout.take(a.out_pad);
    u_[l] = layout.take(a.steps ? size : 0);
    z_dot_[l] = layout.take(n * a.out_pad);
    hidden_dot_[l] = layout.take(l > 0 ? n * a.in_pad : 0);
    error_dot_[l] = layout.take(n * a.out_pad);
  }
  query_error_ = layout.take(q * widest);
  query_spare_ = layout.take(q * widest);
  from_query_ = layout.take(task_->dual() ? n * layer(0).out_pad : 0);
  // Before the query's errors with the same stride: one left operand for all rows in the end.
  coefficient_ = layout.take(task_->dual() ? all * layer(0).out_pad : 0);
  pairs_ = layout.take(task_->dual() && needs_.x ? n * padded<T>(n) : 0);
  mixing_ = layout.take(task_->dual() && needs_.x ? all * padded<T>(all) : 0);
  turned_ = layout.take(largest);
  product_ = layout.take(std::max(largest, q * padded<T>(n)));
  beside_ = layout.take(static_cast<int64_t>(task_->model().loss().beside().size()));
  x_gradient_ = layout.take(needs_.x ? all * layer(0).in_pad : 0);
  factor_gradient_ = layout.take(2 * count() * task_->model().steps());
  return layout.used();
}

/// The weight [out, in_pad] of a layer before step k (k = steps: the adapted one).
template <class T>
const T* DenseBackward<T>::weight(int k, int64_t l) {
  const Layer& a = layer(l);
  if (k == 0 || !a.adapts()) return a.weight;
  transpose(a.in, a.out, task_->transposed(k, l), a.out_pad, turned_, a.in_pad);
  return turned_;
}

template <class T>
void DenseBackward<T>::run(const T* output_gradient, DenseGradients<T>& gradients) {
  query(output_gradient);
  std::fill_n(factor_gradient_, 2 * count() * task_->model().steps(), T(0));
  for (int k = task_->model().steps() - 1; k >= 0 && needs_.steps(); --k) {
    tangents(k, gradients);
    if (needs_.order == 2) error_tangents(k, gradients);
  }
  finish(gradients);
}

/// From the outputs of the query rows to the adapted weights.
template <class T>
void DenseBackward<T>::query(const T* output_gradient) {
  const int64_t n = task_->support(), q = task_->query(), stride = task_->gram_stride();
  const int steps = task_->model().steps();
  const bool smooth = task_->model().smooth();
  std::copy_n(output_gradient, q * layer(count() - 1).out_pad, query_error_);
  if (task_->dual()) std::fill_n(coefficient_, n * layer(0).out_pad, T(0));
  if (task_->dual() && needs_.x) std::fill_n(pairs_, n * stride, T(0));
  if (needs_.x) std::fill_n(x_gradient_, n * layer(0).in_pad, T(0));
  for (int64_t l = count() - 1; l >= 0; --l) {
    const Layer& a = layer(l);
    std::fill_n(lambda_bias_[l], a.out_pad, T(0));
    add_row_sum<T>(q, a.out_pad, query_error_, nullptr, 1, lambda_bias_[l]);
    if (dual(l)) {
      multiply<T, Left::kTransposed>(n, a.out, q, task_->gram() + n * stride, stride, query_error_, a.out_pad, nullptr,
                                     0, 1, from_query_, a.out_pad);
      std::copy_n(query_error_, q * a.out_pad, coefficient_ + n * a.out_pad);
      return;
    }
    multiply<T, Left::kTransposed>(a.in, a.out, q, task_->query_hidden(l), a.in_pad, query_error_, a.out_pad, nullptr,
                                   0, 1, lambda_[l], a.out_pad);
    if (l == 0 && !needs_.x) return;
    T* below = l > 0 ? query_spare_ : x_gradient_ + n * a.in_pad;
    multiply<T>(q, a.in, a.out, query_error_, a.out_pad, weight(steps, l), a.in_pad, nullptr, 0, 1, below, a.in_pad);
    if (l == 0) return;
    times_slope(q * a.in_pad, task_->query_hidden(l), below, below, smooth);
    std::swap(query_error_, query_spare_);
  }
}

/// z_dot of one layer as far as its own weights move: h u^T + u_bias; and what that says of the step sizes.
template <class T>
void DenseBackward<T>::direction(int k, int64_t l, DenseGradients<T>& gradients) {
  const Layer& a = layer(l);
  const int64_t n = task_->support(), size = a.in * a.out_pad, rows = n * a.out_pad;
  const T *hidden = task_->hidden(k, l), *error = task_->error(k, l), *bias_steps = a.bias_steps + k * a.out_pad;
  const bool moved = k + 1 < task_->model().steps() && needs_.order == 2;
  auto& gradient = gradients.layers[l];
  T* z = z_dot_[l];
  const T factor = task_->weight_factor(k, l), bias_factor = task_->bias_factor(k, l);
  T* const factor_gradient = factor_gradient_ + 2 * (k * count() + l);
  if (needs_.step_size) {
    std::fill_n(product_, a.out_pad, T(0));
    add_row_sum<T>(n, a.out_pad, error, lambda_bias_[l], -1, product_);
    add_scaled<T>(a.out_pad, bias_factor, product_, gradient.bias_steps + k * a.out_pad);
    factor_gradient[1] = dense::dot(a.out_pad, product_, bias_steps);
  }
  if (a.steps) {
    const T* steps = a.steps + k * size;
    for (int64_t i = 0; i < size; ++i) u_[l][i] = factor * steps[i] * lambda_[l][i];
    if (needs_.step_size) {
      multiply<T, Left::kTransposed>(a.in, a.out, n, hidden, a.in_pad, error, a.out_pad, nullptr, 0, 1, product_,
                                     a.out_pad);
      for (int64_t i = 0; i < size; ++i) product_[i] *= -lambda_[l][i];
      add_scaled(size, factor, product_, gradient.step + k * size);
      factor_gradient[0] = dense::dot(size, product_, steps);
    }
    if (needs_.order == 1) return;
    multiply<T>(n, a.out, a.in, hidden, a.in_pad, u_[l], a.out_pad, nullptr, 0, 1, z, a.out_pad);
  } else if (dual(l)) {
    multiply<T>(n, a.out, moved ? n : 0, task_->gram(), task_->gram_stride(), coefficient_, a.out_pad, from_query_,
                a.out_pad, -1, z, a.out_pad);
  } else if (a.step) {
    multiply<T>(n, a.out, a.in, hidden, a.in_pad, lambda_[l], a.out_pad, nullptr, 0, 1, z, a.out_pad);
  } else {
    std::fill_n(z, rows, T(0));
  }
  if (a.step && needs_.step_size) {
    const T along = -dense::dot(rows, error, z);
    gradient.step[k] += factor * along;
    factor_gradient[0] = a.step[k] * along;
  }
  if (needs_.order == 1) return;
  const T scale = a.step ? factor * a.step[k] : T(1);
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < a.out_pad; ++j) {
      T& value = z[i * a.out_pad + j];
      value = scale * value + bias_factor * bias_steps[j] * lambda_bias_[l][j];
    }
}

/// How the activations of the support rows move when the weights of step k move along u.
template <class T>
void DenseBackward<T>::tangents(int k, DenseGradients<T>& gradients) {
  const int64_t n = task_->support(), last = count() - 1;
  for (int64_t l = 0; l <= last; ++l) {
    const Layer& a = layer(l);
    direction(k, l, gradients);
    if (needs_.order == 1) continue;
    T* z = z_dot_[l];
    if (l > 0)
      multiply<T>(n, a.out, a.in, hidden_dot_[l], a.in_pad, task_->transposed(k, l), a.out_pad, z, a.out_pad, 1, z,
                  a.out_pad);
    if (l < last) times_slope(n * a.out_pad, task_->hidden(k, l + 1), z, hidden_dot_[l + 1], task_->model().smooth());
  }
}

/// How the errors move with them; from there to lambda, and to all that the gradient depends on.
template <class T>
void DenseBackward<T>::error_tangents(int k, DenseGradients<T>& gradients) {
  const int64_t last = count() - 1, psi = static_cast<int64_t>(task_->model().loss().beside().size());
  std::fill_n(beside_, psi, T(0));
  task_->model().loss().tangent(task_->support(), task_->kept(k), layer(last).out_pad, z_dot_[last], task_->target(),
                                task_->weight(), error_dot_[last], needs_.beside ? beside_ : nullptr);
  for (int64_t i = 0; i < psi; ++i) gradients.beside[i] -= beside_[i];
  for (int64_t l = last; l >= 0; --l) {
    if (l > 0 || needs_.x) through_layer(k, l);
    subtract_curvature(k, l);
  }
}

/// The moving error of one layer, taken back to the layer below or to the inputs.
template <class T>
void DenseBackward<T>::through_layer(int k, int64_t l) {
  const Layer& a = layer(l);
  const int64_t n = task_->support();
  const T *error = task_->error(k, l), scale = a.step ? task_->weight_factor(k, l) * a.step[k] : T(1);
  if (dual(l)) {
    if (k + 1 == task_->model().steps()) return;  // the coefficients are still zero
    const int64_t stride = task_->gram_stride();
    transpose(n, a.out, coefficient_, a.out_pad, turned_, stride);
    multiply<T>(n, n, a.out, error, a.out_pad, turned_, stride, pairs_, stride, scale, pairs_, stride);
    return;
  }
  T* below = l > 0 ? error_dot_[l - 1] : x_gradient_;
  multiply<T>(n, a.in, a.out, error_dot_[l], a.out_pad, weight(k, l), a.in_pad, l > 0 ? nullptr : below, a.in_pad,
              l > 0 ? 1 : -1, below, a.in_pad);
  if (a.adapts()) {
    transpose(a.in, a.out, a.steps ? u_[l] : lambda_[l], a.out_pad, turned_, a.in_pad);
    multiply<T>(n, a.in, a.out, error, a.out_pad, turned_, a.in_pad, below, a.in_pad, l > 0 ? scale : -scale, below,
                a.in_pad);
  }
  if (l == 0) return;
  const int64_t size = n * a.in_pad;
  const T* hidden = task_->hidden(k, l);
  times_slope(size, hidden, below, below, task_->model().smooth());
  if (!task_->model().smooth()) return;
  // tanh'' = -2 tanh tanh'; the slope is in the error already.
  const T *below_error = task_->error(k, l - 1), *z = z_dot_[l - 1];
  for (int64_t i = 0; i < size; ++i) below[i] -= 2 * hidden[i] * below_error[i] * z[i];
}

/// lambda -= H u, for one layer.
template <class T>
void DenseBackward<T>::subtract_curvature(int k, int64_t l) {
  const Layer& a = layer(l);
  const int64_t n = task_->support();
  const T* moving = error_dot_[l];
  add_row_sum<T>(n, a.out_pad, moving, nullptr, -1, lambda_bias_[l]);
  if (dual(l)) {
    add_scaled<T>(n * a.out_pad, 1, moving, coefficient_);
    return;
  }
  T* lambda = lambda_[l];
  multiply<T, Left::kTransposed>(a.in, a.out, n, task_->hidden(k, l), a.in_pad, moving, a.out_pad, lambda, a.out_pad,
                                 -1, lambda, a.out_pad);
  if (l > 0)
    multiply<T, Left::kTransposed>(a.in, a.out, n, hidden_dot_[l], a.in_pad, task_->error(k, l), a.out_pad, lambda,
                                   a.out_pad, -1, lambda, a.out_pad);
}

template <class T>
void DenseBackward<T>::finish(DenseGradients<T>& gradients) {
  const int64_t n = task_->support(), all = n + task_->query();
  for (int64_t l = 0; l < count(); ++l) {
    const Layer& a = layer(l);
    auto& gradient = gradients.layers[l];
    add_scaled<T>(a.out_pad, 1, lambda_bias_[l], gradient.bias);
    if (!dual(l)) {
      add_scaled<T>(a.in * a.out_pad, 1, lambda_[l], gradient.weight);
      continue;
    }
    // lambda = [X; X_q]^T [-coefficient; query errors]
    for (int64_t i = 0; i < n * a.out_pad; ++i) coefficient_[i] = -coefficient_[i];
    multiply<T, Left::kTransposed>(a.in, a.out, all, task_->rows(), a.in_pad, coefficient_, a.out_pad, gradient.weight,
                                   a.out_pad, 1, gradient.weight, a.out_pad);
    if (needs_.x) dual_inputs();
  }
}

/// Gradients of all inputs at once: of W_0 they see [-coefficient; query errors] W_0, of each other the inner products.
template <class T>
void DenseBackward<T>::dual_inputs() {
  const Layer& a = layer(0);
  const int64_t n = task_->support(), q = task_->query(), all = n + q, stride = padded<T>(all),
                pair_stride = task_->gram_stride();
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j) mixing_[i * stride + j] = pairs_[i * pair_stride + j] + pairs_[j * pair_stride + i];
  transpose(n, a.out, task_->combination(), a.out_pad, turned_, pair_stride);
  multiply<T>(q, n, a.out, coefficient_ + n * a.out_pad, a.out_pad, turned_, pair_stride, nullptr, 0, 1, product_,
              pair_stride);
  for (int64_t i = 0; i < q; ++i)
    for (int64_t j = 0; j < n; ++j) {
      const T value = -product_[i * pair_stride + j];
      mixing_[(n + i) * stride + j] = value;
      mixing_[j * stride + n + i] = value;
    }
  for (int64_t i = 0; i < q; ++i) std::fill_n(mixing_ + (n + i) * stride + n, q, T(0));
  // First order: the support inputs only enter gradients, which count as constants. Their rows stay zero.
  const int64_t first = needs_.order == 2 ? 0 : n;
  T* result = x_gradient_ + first * a.in_pad;
  multiply<T>(all - first, a.in, all, mixing_ + first * stride, stride, task_->rows(), a.in_pad, nullptr, 0, 1, result,
              a.in_pad);
  multiply<T>(all - first, a.in, a.out, coefficient_ + first * a.out_pad, a.out_pad, a.weight, a.in_pad, result,
              a.in_pad, 1, result, a.in_pad);
}

template struct DenseGradients<float>;
template struct DenseGradients<double>;
template class DenseBackward<float>;
template class DenseBackward<double>;

}  // namespace fewshop::nn
