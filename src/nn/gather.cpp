#include "nn/gather.h"

#include <torch/autograd.h>
#include <torch/types.h>

#include <span>

#include "core/error.h"

namespace fewshop::nn {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

/// The arrays behind Entries and rows, by row of the output.
struct Plan {
  const int64_t* offsets = nullptr;  // null: row r has the one entry r
  const int32_t* ids = nullptr;
  const int64_t* row = nullptr;
  int64_t tasks = 0, rows = 0;

  Plan(const at::Tensor& offset_numbers, const at::Tensor& id_numbers, const at::Tensor& row_numbers)
      : row(row_numbers.data_ptr<int64_t>()), tasks(row_numbers.size(0)), rows(row_numbers.size(1)) {
    if (offset_numbers.numel() == 0) return;
    offsets = offset_numbers.data_ptr<int64_t>();
    ids = id_numbers.data_ptr<int32_t>();
  }

  /// visit(output row, table row, factor) for every entry; tables of tasks follow each other at `stride` table rows.
  template <class Visit>
  void each(int64_t stride, Visit&& visit) const {
    for (int64_t t = 0; t < tasks; ++t)
      for (int64_t i = t * rows; i < (t + 1) * rows; ++i) {
        const int64_t r = row[i];
        if (r < 0) continue;
        if (!offsets) {
          visit(i, t * stride + r, 1.0);
          continue;
        }
        const double factor = 1.0 / static_cast<double>(offsets[r + 1] - offsets[r]);
        for (int64_t j = offsets[r]; j < offsets[r + 1]; ++j) visit(i, t * stride + ids[j], factor);
      }
  }
};

template <class T>
void accumulate(T* out, const T* in, T factor, int64_t d) {
  for (int64_t j = 0; j < d; ++j) out[j] += factor * in[j];
}

struct Scatter;

struct Gather : torch::autograd::Function<Gather> {
  static at::Tensor forward(AutogradContext* context, const Variable& table, const Variable& offsets,
                            const Variable& ids, const Variable& row);
  static variable_list backward(AutogradContext* context, variable_list gradients);
};

/// The transpose of Gather: gradients of rows [T, S, d] added up to a gradient of the table.
struct Scatter : torch::autograd::Function<Scatter> {
  static at::Tensor forward(AutogradContext* context, const Variable& gradient, const Variable& offsets,
                            const Variable& ids, const Variable& row, int64_t vocabulary, bool per_task);
  static variable_list backward(AutogradContext* context, variable_list gradients);
};

at::Tensor Gather::forward(AutogradContext* context, const Variable& table, const Variable& offsets,
                           const Variable& ids, const Variable& row) {
  context->save_for_backward({offsets, ids, row});
  context->saved_data["vocabulary"] = table.size(-2);
  context->saved_data["per_task"] = table.dim() == 3;
  const at::Tensor source = table.contiguous();
  const int64_t d = table.size(-1), stride = table.dim() == 3 ? table.size(1) : 0;
  at::Tensor out = at::zeros({row.size(0), row.size(1), d}, table.options());
  AT_DISPATCH_FLOATING_TYPES(table.scalar_type(), "gather", [&] {
    const scalar_t* from = source.data_ptr<scalar_t>();
    scalar_t* to = out.data_ptr<scalar_t>();
    Plan(offsets, ids, row).each(stride, [&](int64_t i, int64_t entry, double factor) {
      accumulate(to + i * d, from + entry * d, static_cast<scalar_t>(factor), d);
    });
  });
  return out;
}

variable_list Gather::backward(AutogradContext* context, variable_list gradients) {
  const auto saved = context->get_saved_variables();
  return {Scatter::apply(gradients[0], saved[0], saved[1], saved[2], context->saved_data["vocabulary"].toInt(),
                         context->saved_data["per_task"].toBool()),
          Variable(), Variable(), Variable()};
}

at::Tensor Scatter::forward(AutogradContext* context, const Variable& gradient, const Variable& offsets,
                            const Variable& ids, const Variable& row, int64_t vocabulary, bool per_task) {
  context->save_for_backward({offsets, ids, row});
  const at::Tensor source = gradient.contiguous();
  const int64_t d = source.size(2);
  at::Tensor out = per_task ? at::zeros({row.size(0), vocabulary, d}, source.options())
                            : at::zeros({vocabulary, d}, source.options());
  AT_DISPATCH_FLOATING_TYPES(source.scalar_type(), "scatter", [&] {
    const scalar_t* from = source.data_ptr<scalar_t>();
    scalar_t* to = out.data_ptr<scalar_t>();
    Plan(offsets, ids, row).each(per_task ? vocabulary : 0, [&](int64_t i, int64_t entry, double factor) {
      accumulate(to + entry * d, from + i * d, static_cast<scalar_t>(factor), d);
    });
  });
  return out;
}

variable_list Scatter::backward(AutogradContext* context, variable_list gradients) {
  const auto saved = context->get_saved_variables();
  return {Gather::apply(gradients[0], saved[0], saved[1], saved[2]),
          Variable(),
          Variable(),
          Variable(),
          Variable(),
          Variable()};
}

void check_rows(const at::Tensor& row, int64_t rows) {
  const int64_t* r = row.data_ptr<int64_t>();
  for (int64_t i = 0; i < row.numel(); ++i)
    require(r[i] >= -1 && r[i] < rows, "network input: row ", r[i], " is outside [-1, ", rows, ")");
}

}  // namespace

at::Tensor entry_means(const at::Tensor& table, const Entries& entries, const at::Tensor& row) {
  require((table.dim() == 2 || (table.dim() == 3 && table.size(0) == row.size(0))) && row.dim() == 2,
          "network input: expected a table [V, d] or [T, V, d] and rows [T, S], got ", table.sizes(), " and ",
          row.sizes());
  const at::Tensor row_numbers = row.contiguous();
  const bool own = !entries.offsets.defined();
  check_rows(row_numbers, own ? table.size(-2) : entries.offsets.numel() - 1);
  // An autograd function takes no undefined tensors; CSR offsets are never empty.
  return Gather::apply(table, own ? at::empty({0}, at::kLong) : entries.offsets,
                       own ? at::empty({0}, at::kInt) : entries.ids, row_numbers);
}

}  // namespace fewshop::nn
