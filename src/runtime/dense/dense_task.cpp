#include "runtime/dense/dense_task.h"

#include <algorithm>

#include "runtime/dense/row_operations.h"

namespace fewshop::dense {

template <class T>
int64_t DenseTask<T>::shape(const DenseModel<T>& model, int64_t support, int64_t query, bool keep) {
  model_ = &model;
  n_ = support;
  q_ = query;
  keep_ = keep;
  dual_ = model.dual(support);
  return lay_out(nullptr);
}

template <class T>
void DenseTask<T>::place(T* block) {
  lay_out(block);
}

template <class T>
int64_t DenseTask<T>::lay_out(T* block) {
  Layout<T> layout(block);
  const auto& all = model_->layers();
  const int64_t last = layers() - 1, stride = gram_stride();
  const DenseLayer<T>& first = all.front();
  rows_ = layout.take((n_ + q_) * first.in_pad);
  transposed_rows_ = layout.take(dual_ ? first.in_pad * stride : 0);
  gram_ = layout.take(dual_ ? (n_ + q_) * stride : 0);
  first_ = layout.take(dual_ ? (n_ + q_) * first.out_pad : 0);
  combination_ = layout.take(dual_ ? n_ * first.out_pad : 0);
  target_ = layout.take(n_);
  weight_ = layout.take(n_);
  offset_ = layout.take(n_);
  output_ = layout.take(q_ * all.back().out_pad);
  int64_t largest = 0;
  for (const auto& layer : all)
    largest = std::max(largest, padded<T>(layer.out) * std::max(layer.in_pad, layer.out_pad));
  for (const auto& layer : all) largest = std::max(largest, layer.in * layer.out_pad);
  turned_ = layout.take(largest);
  gradient_ = layout.take(largest);
  const int slots = keep_ ? std::max(model_->steps(), 1) : 1;
  const auto tables = static_cast<size_t>(slots * layers());
  hidden_.resize(tables);
  error_.resize(tables);
  kept_.resize(slots);
  transposed_.resize(keep_ ? tables + layers() : tables);
  bias_.resize(layers());
  query_hidden_.resize(layers());
  for (int64_t l = 0; l <= last; ++l) {
    bias_[l] = layout.take(all[l].out_pad);
    query_hidden_[l] = l == 0 ? (rows_ ? rows_ + n_ * first.in_pad : nullptr) : layout.take(q_ * all[l].in_pad);
    for (int s = 0; s < slots; ++s) {
      hidden_[s * layers() + l] = l == 0 ? rows_ : layout.take(n_ * all[l].in_pad);
      error_[s * layers() + l] = layout.take(n_ * all[l].out_pad);
    }
    // Weights before the first step are everybody's; the dual form has no others of the first layer.
    const bool moves = !(l == 0 && dual_) && all[l].adapts();
    const int weights = keep_ ? model_->steps() + 1 : 1;
    T* shared = const_cast<T*>(all[l].transposed);
    for (int s = 0; s < weights && s * layers() + l < static_cast<int64_t>(transposed_.size()); ++s)
      transposed_[s * layers() + l] = moves && (s > 0 || !keep_) ? layout.take(all[l].in * all[l].out_pad) : shared;
  }
  for (int s = 0; s < slots; ++s) kept_[s] = layout.take(n_ * all[last].out_pad);
  return layout.used();
}

/// Copies rows [begin, end) of all rows, and makes of them what the dual form needs.
template <class T>
void DenseTask<T>::take_rows(const T* x, int64_t begin, int64_t end) {
  const DenseLayer<T>& first = model_->layers().front();
  const int64_t stride = gram_stride(), rows = end - begin;
  T* const own = rows_ + begin * first.in_pad;
  for (int64_t i = 0; i < rows; ++i) {
    std::copy_n(x + i * first.in, first.in, own + i * first.in_pad);
    std::fill(own + i * first.in_pad + first.in, own + (i + 1) * first.in_pad, T(0));
  }
  if (!dual_) return;
  if (begin == 0) transpose(n_, first.in_pad, rows_, first.in_pad, transposed_rows_, stride);
  multiply<T>(rows, n_, first.in, own, first.in_pad, transposed_rows_, stride, nullptr, 0, 1, gram_ + begin * stride,
              stride);
  multiply<T>(rows, first.out, first.in, own, first.in_pad, first.transposed, first.out_pad, nullptr, 0, 1,
              first_ + begin * first.out_pad, first.out_pad);
}

template <class T>
void DenseTask<T>::adapt(const TaskRows<T>& rows) {
  const auto& all = model_->layers();
  step_factor_ = rows.step_factor;
  take_rows(rows.x, 0, n_);
  std::copy_n(rows.target, n_, target_);
  std::copy_n(rows.weight, n_, weight_);
  for (int64_t i = 0; i < n_; ++i) offset_[i] = rows.offset ? rows.offset[i] : T(0);
  for (int64_t l = 0; l < layers(); ++l) {
    std::copy_n(all[l].bias, all[l].out_pad, bias_[l]);
    T* own = transposed_[l];
    if (own != all[l].transposed) std::copy_n(all[l].transposed, all[l].in * all[l].out_pad, own);
  }
  if (dual_) std::fill_n(combination_, n_ * all.front().out_pad, T(0));
  for (int k = 0; k < model_->steps(); ++k) {
    forward(k);
    backward(k);
    step(k);
  }
}

template <class T>
void DenseTask<T>::forward(int k) {
  const auto& all = model_->layers();
  const int64_t last = layers() - 1;
  for (int64_t l = k > 0 ? std::min(first_moving(), last) : 0; l <= last; ++l) {
    const DenseLayer<T>& layer = all[l];
    T* z = l == last ? kept_[slot(k)] : at(hidden_, k, l + 1);
    if (l == 0 && dual_)
      multiply<T>(n_, layer.out, k > 0 ? n_ : 0, gram_, gram_stride(), combination_, layer.out_pad, first_,
                  layer.out_pad, -1, z, layer.out_pad);
    else
      multiply<T>(n_, layer.out, layer.in, at(hidden_, k, l), layer.in_pad, at(transposed_, k, l), layer.out_pad,
                  nullptr, 0, 1, z, layer.out_pad);
    if (l < last)
      add_bias_and_activate(n_, layer.out_pad, z, bias_[l], model_->smooth());
    else
      add_bias(n_, layer.out_pad, z, bias_[l]);
  }
  const DenseLayer<T>& head = all[last];
  T* z = kept_[slot(k)];
  for (int64_t i = 0; i < n_; ++i)
    for (int64_t j = 0; j < head.out; ++j) z[i * head.out_pad + j] += offset_[i];
  model_->loss().gradient(n_, z, head.out_pad, target_, weight_, at(error_, k, last));
}

template <class T>
void DenseTask<T>::backward(int k) {
  const auto& all = model_->layers();
  for (int64_t l = layers() - 1; l > first_moving(); --l) {
    const DenseLayer<T>& layer = all[l];
    const T* weight = layer.weight;
    if (k > 0 && layer.adapts()) {
      transpose(layer.in, layer.out, at(transposed_, k, l), layer.out_pad, turned_, layer.in_pad);
      weight = turned_;
    }
    T* below = at(error_, k, l - 1);
    multiply<T>(n_, layer.in, layer.out, at(error_, k, l), layer.out_pad, weight, layer.in_pad, nullptr, 0, 1, below,
                layer.in_pad);
    times_slope(n_ * layer.in_pad, at(hidden_, k, l), below, below, model_->smooth());
  }
}

template <class T>
void DenseTask<T>::step(int k) {
  const auto& all = model_->layers();
  for (int64_t l = first_moving(); l < layers(); ++l) {
    const DenseLayer<T>& layer = all[l];
    const T* error = at(error_, k, l);
    add_row_sum(n_, layer.out_pad, error, layer.bias_steps + k * layer.out_pad, -bias_factor(k, l), bias_[l]);
    if (!layer.adapts()) continue;
    const T factor = weight_factor(k, l);
    if (l == 0 && dual_) {
      add_scaled(n_ * layer.out_pad, factor * layer.step[k], error, combination_);
      continue;
    }
    const T* before = at(transposed_, k, l);
    T* after = keep_ ? transposed_[(k + 1) * layers() + l] : transposed_[l];
    const T scale = layer.step ? -factor * layer.step[k] : T(1);
    multiply<T, Left::kTransposed>(layer.in, layer.out, n_, at(hidden_, k, l), layer.in_pad, error, layer.out_pad,
                                   layer.step ? before : nullptr, layer.out_pad, scale, layer.step ? after : gradient_,
                                   layer.out_pad);
    if (layer.step) continue;
    const T* steps = layer.steps + k * layer.in * layer.out_pad;
    for (int64_t i = 0; i < layer.in * layer.out_pad; ++i) after[i] = before[i] - factor * steps[i] * gradient_[i];
  }
}

template <class T>
const T* DenseTask<T>::predict(const T* x_query) {
  const auto& all = model_->layers();
  take_rows(x_query, n_, n_ + q_);
  const int64_t last = layers() - 1;
  for (int64_t l = 0; l <= last; ++l) {
    const DenseLayer<T>& layer = all[l];
    T* z = l == last ? output_ : query_hidden_[l + 1];
    const T* weight = transposed_[keep_ ? model_->steps() * layers() + l : l];
    if (l == 0 && dual_)
      multiply<T>(q_, layer.out, model_->steps() > 0 ? n_ : 0, gram_ + n_ * gram_stride(), gram_stride(), combination_,
                  layer.out_pad, first_ + n_ * layer.out_pad, layer.out_pad, -1, z, layer.out_pad);
    else
      multiply<T>(q_, layer.out, layer.in, query_hidden_[l], layer.in_pad, weight, layer.out_pad, nullptr, 0, 1, z,
                  layer.out_pad);
    if (l < last)
      add_bias_and_activate(q_, layer.out_pad, z, bias_[l], model_->smooth());
    else
      add_bias(q_, layer.out_pad, z, bias_[l]);
  }
  return output_;
}

template <class T>
void DenseTask<T>::adapted(int64_t l, T* weight, T* bias) {
  const DenseLayer<T>& layer = model_->layers()[l];
  const T* transposed = transposed_[keep_ ? model_->steps() * layers() + l : l];
  if (l == 0 && dual_) {
    multiply<T, Left::kTransposed>(layer.in, layer.out, n_, rows_, layer.in_pad, combination_, layer.out_pad,
                                   layer.transposed, layer.out_pad, -1, gradient_, layer.out_pad);
    transposed = gradient_;
  }
  for (int64_t i = 0; i < layer.out; ++i)
    for (int64_t j = 0; j < layer.in; ++j) weight[i * layer.in + j] = transposed[j * layer.out_pad + i];
  std::copy_n(bias_[l], layer.out, bias);
}

template class DenseTask<float>;
template class DenseTask<double>;

}  // namespace fewshop::dense
