#pragma once

#include <ATen/Functions.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "nn/buffer_pool.h"
#include "nn/dense_backward.h"
#include "nn/dense_batch.h"

namespace fewshop::nn {

/// Pooled memory and its first number.
template <class T>
std::pair<std::shared_ptr<void>, T*> numbers(int64_t count) {
  auto buffer = pooled_buffer(static_cast<size_t>(count) * sizeof(T));
  T* const first = static_cast<T*>(buffer.get());
  return {std::move(buffer), first};
}

/// What one thread needs beside a task to go back through it, for tasks of any size.
template <class T>
class DensePass {
 public:
  explicit DensePass(const DenseNeeds& needs) : needs_(needs) {}

  void run(const dense::DenseTask<T>& task, const T* output_gradient, DenseGradients<T>& sums) {
    const int64_t size = pass_.shape(task, needs_);
    if (size > size_) {
      memory_ = {};  // first give, then take
      memory_ = numbers<T>(size);
      size_ = size;
    }
    pass_.place(memory_.second);
    pass_.run(output_gradient, sums);
  }

  /// Writes the last task's own gradients; those of inputs are zeros where its rows end.
  void copy_own(const dense::DenseTask<T>& task, int64_t t, DenseOutputs& out) const {
    if (out.step_factor.defined())
      std::copy_n(pass_.factor_gradient(), out.step_factor.stride(0),
                  out.step_factor.data_ptr<T>() + t * out.step_factor.stride(0));
    if (!needs_.x) return;
    const T* const all = pass_.x_gradient();
    const auto& first = task.model().layers().front();
    copy(all, task.support(), first, t, out.x);
    copy(all + task.support() * first.in_pad, task.query(), first, t, out.x_query);
  }

 private:
  static void copy(const T* from, int64_t rows, const dense::DenseLayer<T>& first, int64_t t, const at::Tensor& out) {
    T* to = out.data_ptr<T>() + t * out.stride(0);
    for (int64_t i = 0; i < rows; ++i, to += first.in) std::copy_n(from + i * first.in_pad, first.in, to);
    std::fill_n(to, (out.size(1) - rows) * first.in, T(0));
  }

  DenseNeeds needs_;
  DenseBackward<T> pass_;
  std::pair<std::shared_ptr<void>, T*> memory_;
  int64_t size_ = 0;
};

/// Sums of gradients of every group, and the tensors that they become.
template <class T>
class DenseSums {
 public:
  DenseSums(const DenseBatch<T>& tasks, const DenseNeeds& needs)
      : tasks_(tasks), needs_(needs), groups_(tasks.groups()) {
    DenseGradients<T> shape;
    size_ = shape.place(tasks.model(), nullptr);
    memory_ = numbers<T>(std::max<int64_t>(1, groups_.size()) * size_);
  }

  /// The sums of one group, zero. Called by the thread that fills them.
  DenseGradients<T>& begin(int64_t group) {
    groups_[group].place(tasks_.model(), memory_.second + group * size_);
    return groups_[group];
  }

  /// Room for the gradients that tasks have of their own.
  DenseOutputs own() const {
    DenseOutputs out;
    const at::Tensor& factor = tasks_.inputs().parameters.step_factor;
    if (factor.defined() && needs_.step_size) out.step_factor = at::empty_like(factor);
    if (!needs_.x) return out;
    out.x = at::empty_like(tasks_.inputs().support.x);
    out.x_query = at::empty_like(tasks_.inputs().query.x);
    return out;
  }

  /// Adds the groups up, in their order.
  void finish(DenseOutputs& out) {
    const auto& p = tasks_.inputs().parameters;
    if (groups_.empty()) begin_empty();
    for (size_t g = 1; g < groups_.size(); ++g) {
      T* const sum = memory_.second;
      const T* const more = memory_.second + g * size_;
      for (int64_t i = 0; i < size_; ++i) sum[i] += more[i];
    }
    const DenseGradients<T>& total = groups_.front();
    const int steps = tasks_.model().steps();
    for (size_t l = 0; l < total.layers.size(); ++l) {
      const auto& layer = tasks_.model().layers()[l];
      const auto& sum = total.layers[l];
      out.initial.push_back(untransposed(layer, sum.weight, 1).squeeze(0));
      out.initial.push_back(at::from_blob(sum.bias, {layer.out}, p.initial.front().options()).clone());
      const at::Tensor &size = p.step_size[2 * l], &bias_size = p.step_size[2 * l + 1];
      at::Tensor step, bias_step;
      if (needs_.step_size && size.defined())
        step = layer.steps ? untransposed(layer, sum.step, steps)
                           : at::from_blob(sum.step, {steps}, size.options()).clone();
      if (needs_.step_size && bias_size.defined()) {
        const at::Tensor full = at::from_blob(sum.bias_steps, {steps, layer.out_pad}, bias_size.options());
        bias_step = bias_size.dim() > 1 ? full.narrow(1, 0, layer.out).clone() : full.sum(1);
      }
      out.step_size.push_back(step);
      out.step_size.push_back(bias_step);
    }
    if (needs_.beside) out.beside = at::from_blob(total.beside, p.beside.sizes(), p.beside.options()).clone();
  }

 private:
  void begin_empty() {
    groups_.resize(1);
    begin(0);
  }

  /// [count, in, out_pad] -> [count, out, in].
  at::Tensor untransposed(const dense::DenseLayer<T>& layer, T* values, int64_t count) const {
    return at::from_blob(values, {count, layer.in, layer.out_pad}, tasks_.inputs().support.x.options())
        .narrow(2, 0, layer.out)
        .transpose(1, 2)
        .clone(at::MemoryFormat::Contiguous);
  }

  const DenseBatch<T>& tasks_;
  DenseNeeds needs_;
  std::vector<DenseGradients<T>> groups_;
  int64_t size_ = 0;
  std::pair<std::shared_ptr<void>, T*> memory_;
};

}  // namespace fewshop::nn
