#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "core/parallel.h"
#include "nn/dense_inner_loop.h"
#include "runtime/dense/dense_task.h"

namespace fewshop::nn {

/// Gradients are summed over groups of so many tasks, whatever the number of threads.
constexpr int64_t kTasksOfAGroup = 4, kMostGroups = 16;

/// Everything the loop reads, checked, without history, contiguous.
struct DenseInputs {
  DenseInnerLoop loop;
  DenseParameters parameters;
  DenseRows support, query;  // query: x alone where no loss is asked for
  int64_t tasks() const { return support.x.size(0); }
};

/// One gradient for each tensor of DenseInputs that may want one.
struct DenseOutputs {
  std::vector<at::Tensor> initial, step_size;
  at::Tensor beside, step_factor, x, x_query;
};

/// Throws InvalidInput where anything does not fit; `with_loss`: query rows have targets and weights.
void check_dense(const DenseInnerLoop& loop, const DenseParameters& parameters, const DenseRows& support,
                 const DenseRows& query, bool with_loss);

/// Numbers of `beside` that the family of the loss takes.
int64_t beside_size(const DenseInnerLoop& loop, const at::Tensor& beside);

/// All tasks of one call, in plain arrays of one type.
template <class T>
class DenseBatch {
 public:
  explicit DenseBatch(DenseInputs inputs)
      : inputs_(std::move(inputs)), psi_(beside_size(inputs_.loop, inputs_.parameters.beside)), model_(make_model()) {}

  const dense::DenseModel<T>& model() const { return model_; }
  const DenseInputs& inputs() const { return inputs_; }
  int64_t groups() const { return std::min(kMostGroups, (inputs_.tasks() + kTasksOfAGroup - 1) / kTasksOfAGroup); }

  /// body(group, begin, end) for every group of tasks, on the loop's threads.
  template <class Body>
  void for_groups(const Body& body) const {
    const int64_t count = groups();
    parallel_for(count, inputs_.loop.threads, 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t g = begin; g < end; ++g) body(g, inputs_.tasks() * g / count, inputs_.tasks() * (g + 1) / count);
    });
  }

  /// Rows of task t without padding; query rows without weights are all used.
  int64_t support(int64_t t) const { return used(inputs_.support, t); }
  int64_t query(int64_t t) const { return used(inputs_.query, t); }

  dense::TaskRows<T> support_rows(int64_t t) const {
    const DenseRows& s = inputs_.support;
    return {part(s.x, t), part(s.target, t), part(s.weight, t), part(s.offset, t),
            part(inputs_.parameters.step_factor, t)};
  }
  const T* x_query(int64_t t) const { return part(inputs_.query.x, t); }
  /// Of the loss of the query rows; the offset may be null.
  const T* query_target(int64_t t) const { return part(inputs_.query.target, t); }
  const T* query_weight(int64_t t) const { return part(inputs_.query.weight, t); }
  const T* query_offset(int64_t t) const { return part(inputs_.query.offset, t); }

 private:
  static const T* part(const at::Tensor& tensor, int64_t t) {
    return tensor.defined() ? tensor.data_ptr<T>() + t * tensor.stride(0) : nullptr;
  }

  static int64_t used(const DenseRows& rows, int64_t t) {
    int64_t n = rows.x.size(1);
    if (!rows.weight.defined()) return n;
    const T* weight = rows.weight.template data_ptr<T>() + t * n;
    while (n > 0 && weight[n - 1] == 0) --n;
    return n;
  }

  dense::DenseModel<T> make_model() const {
    const auto& p = inputs_.parameters;
    std::vector<const T*> weights;
    std::vector<dense::StepSizes<T>> sizes;
    for (size_t i = 0; i < p.initial.size(); ++i) {
      weights.push_back(p.initial[i].template data_ptr<T>());
      const at::Tensor& step = p.step_size[i];
      sizes.push_back({});
      if (step.defined())
        sizes.back() = {std::span<const T>(step.template data_ptr<T>(), step.numel()), step.dim() > 1};
    }
    const T* beside = psi_ > 0 ? p.beside.template data_ptr<T>() : nullptr;
    return dense::DenseModel<T>(inputs_.loop.sizes, inputs_.loop.smooth, inputs_.loop.steps, inputs_.loop.family,
                                std::span<const T>(beside, psi_), weights, sizes);
  }

  DenseInputs inputs_;
  int64_t psi_;
  dense::DenseModel<T> model_;
};

}  // namespace fewshop::nn
