#include "nn/sparse_matmul.h"

#include <torch/autograd.h>
#include <torch/types.h>

#include "core/error.h"

namespace fewshop::nn {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

template <class T>
void accumulate(T* out, const T* in, T factor, int64_t d) {
  for (int64_t j = 0; j < d; ++j) out[j] += factor * in[j];
}

struct SparseMatmul : torch::autograd::Function<SparseMatmul> {
  static at::Tensor forward(AutogradContext* context, const Variable& weight, int64_t features,
                            const at::Tensor& rows) {
    const auto& f = *reinterpret_cast<const SparseRows*>(features);
    context->saved_data["features"] = features;
    context->saved_data["inputs"] = weight.size(0);
    context->save_for_backward({rows});
    const at::Tensor w = weight.contiguous();
    const int64_t n = rows.numel(), d = w.size(1);
    at::Tensor out = at::zeros({n, d}, w.options());
    const int32_t* row = rows.data_ptr<int32_t>();
    AT_DISPATCH_FLOATING_TYPES(w.scalar_type(), "sparse_matmul", [&] {
      const scalar_t* weights = w.data_ptr<scalar_t>();
      scalar_t* y = out.data_ptr<scalar_t>();
      for (int64_t i = 0; i < n; ++i)
        for (int64_t j = f.offsets[row[i]]; j < f.offsets[row[i] + 1]; ++j)
          accumulate(y + i * d, weights + f.index[j] * d, static_cast<scalar_t>(f.value[j]), d);
    });
    return out;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto& f = *reinterpret_cast<const SparseRows*>(context->saved_data["features"].toInt());
    const at::Tensor rows = context->get_saved_variables()[0];
    const at::Tensor g = gradients[0].contiguous();
    const int64_t n = rows.numel(), d = g.size(1);
    at::Tensor out = at::zeros({context->saved_data["inputs"].toInt(), d}, g.options());
    const int32_t* row = rows.data_ptr<int32_t>();
    AT_DISPATCH_FLOATING_TYPES(g.scalar_type(), "sparse_matmul_backward", [&] {
      const scalar_t* dy = g.data_ptr<scalar_t>();
      scalar_t* dw = out.data_ptr<scalar_t>();
      for (int64_t i = 0; i < n; ++i)
        for (int64_t j = f.offsets[row[i]]; j < f.offsets[row[i] + 1]; ++j)
          accumulate(dw + f.index[j] * d, dy + i * d, static_cast<scalar_t>(f.value[j]), d);
    });
    return {out, Variable(), Variable()};
  }
};

}  // namespace

SparseRows sparse_rows(const Columns& columns) {
  SparseRows result;
  std::vector<int64_t> first;
  for (const auto& column : columns.columns) {
    first.push_back(result.inputs);
    result.inputs += column.width + column.vocabulary;
  }
  for (int64_t r = 0; r < columns.rows; ++r) {
    for (size_t c = 0; c < columns.columns.size(); ++c) {
      const ColumnView view = columns.columns[c].row(r);
      for (size_t j = 0; j < view.dense.size(); ++j) {
        if (view.dense[j] == 0) continue;
        result.index.push_back(static_cast<int32_t>(first[c] + j));
        result.value.push_back(view.dense[j]);
      }
      for (const int32_t id : view.ids) {
        result.index.push_back(static_cast<int32_t>(first[c] + id));
        result.value.push_back(1.0F / static_cast<float>(view.ids.size()));
      }
    }
    result.offsets.push_back(static_cast<int64_t>(result.index.size()));
  }
  return result;
}

at::Tensor sparse_matmul(const SparseRows& features, std::span<const int32_t> rows, const at::Tensor& weight) {
  require(weight.dim() == 2 && weight.size(0) >= features.inputs, "sparse_matmul: expected weight [at least ",
          features.inputs, ", d], got ", weight.dim(), " dimensions and ", weight.size(0), " rows");
  at::Tensor row_numbers = at::empty({static_cast<int64_t>(rows.size())}, at::kInt);
  std::copy(rows.begin(), rows.end(), row_numbers.data_ptr<int32_t>());
  return SparseMatmul::apply(weight, reinterpret_cast<int64_t>(&features), row_numbers);
}

}  // namespace fewshop::nn
