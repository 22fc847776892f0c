#include "nn/field_inputs.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <algorithm>

#include "core/error.h"
#include "nn/gather.h"

namespace fewshop::nn {
namespace {

bool fits(const Field& expected, const std::string& name, Field::Kind kind, int64_t width, int64_t vocabulary) {
  return expected.name == name && expected.kind == kind && expected.width == width && expected.vocabulary == vocabulary;
}

bool fits(const Field& expected, const Field& field) {
  return fits(expected, field.name, field.kind, field.width, field.vocabulary);
}

/// A view of an array that keeps its owner alive.
template <class T>
at::Tensor view(std::span<const T> array, at::ScalarType type, const std::shared_ptr<const InputTable>& owner) {
  if (array.empty()) return at::empty({0}, type);
  return at::from_blob(
      const_cast<T*>(array.data()), {static_cast<int64_t>(array.size())}, [owner](void*) {}, type);
}

/// Whether all rows of each task are the same.
bool constant_in_tasks(const at::Tensor& row) {
  const int64_t* r = row.data_ptr<int64_t>();
  const int64_t rows = row.size(1);
  for (int64_t t = 0; t < row.size(0); ++t, r += rows)
    if (std::any_of(r, r + rows, [&](int64_t x) { return x != *r; })) return false;
  return rows > 1;
}

}  // namespace

FieldInputs::FieldInputs(std::span<const Field> fields, const NetworkInput& input) {
  const auto take_shape = [&](const at::Tensor& tensor, int64_t dimensions) {
    require(tensor.defined() && tensor.dim() == dimensions, "network input: expected ", dimensions, " dimensions, got ",
            tensor.defined() ? tensor.dim() : 0);
    require(sources_.empty() || (tensor.size(0) == tasks_ && tensor.size(1) == rows_),
            "network input: expected tensors [", tasks_, ", ", rows_, ", ...], got ", tensor.sizes());
    tasks_ = tensor.size(0);
    rows_ = tensor.size(1);
  };
  const auto add = [&](bool fitting, const std::string& name, Source source) {
    require(sources_.size() < fields.size() && fitting, "network input: field ", sources_.size(), " is '", name,
            "', where the network was made for ",
            sources_.size() < fields.size() ? "'" + fields[sources_.size()].name + "' of another kind or size"
                                            : "no more fields");
    sources_.push_back(std::move(source));
  };
  const auto expected = [&]() -> const Field& {
    static const Field none;
    return sources_.size() < fields.size() ? fields[sources_.size()] : none;
  };
  if (input.numbers.defined()) {
    take_shape(input.numbers, 3);
    add(fits(expected(), "numbers", Field::Kind::kNumbers, input.numbers.size(2), 0), "numbers",
        {nullptr, nullptr, input.numbers});
  }
  for (const auto& part : input.parts) {
    take_shape(part.row, 2);
    const at::Tensor row = part.row.contiguous();
    for (size_t c = 0; c < part.table->fields.size(); ++c)
      add(fits(expected(), part.table->fields[c]), part.table->fields[c].name,
          {part.table, &part.table->columns->columns[c], row});
  }
  for (const auto& identity : input.identities) {
    take_shape(identity.id, 2);
    add(fits(expected(), identity.name, Field::Kind::kBag, 0, identity.vocabulary), identity.name,
        {nullptr, nullptr, identity.id.contiguous()});
  }
  require(sources_.size() == fields.size(), "network input: ", sources_.size(),
          " fields, where the network was made for ", fields.size());
}

at::Tensor FieldInputs::numbers(size_t f, at::ScalarType type) const {
  const Source& source = sources_[f];
  if (!source.table) return source.values.to(type);
  const int64_t width = source.column->width, n = source.table->columns->rows;
  at::Tensor out = at::zeros({tasks_, rows_, width}, at::kFloat);
  float* to = out.data_ptr<float>();
  const int64_t* row = source.values.data_ptr<int64_t>();
  for (int64_t i = 0; i < tasks_ * rows_; ++i) {
    require(row[i] >= -1 && row[i] < n, "network input: row ", row[i], " is outside [-1, ", n, ")");
    if (row[i] >= 0) std::copy_n(source.column->dense.data() + row[i] * width, width, to + i * width);
  }
  return out.to(type);
}

at::Tensor FieldInputs::entry_means(size_t f, const at::Tensor& table) const {
  const Source& source = sources_[f];
  if (!source.table) return nn::entry_means(table, {}, source.values);
  return nn::entry_means(
      table, {view(source.column->offsets, at::kLong, source.table), view(source.column->ids, at::kInt, source.table)},
      source.values);
}

at::Tensor FieldInputs::sequence(size_t f, int64_t most) const {
  const Source& source = sources_[f];
  const at::Tensor row = constant_in_tasks(source.values) ? source.values.narrow(1, 0, 1).contiguous() : source.values;
  const int64_t* r = row.data_ptr<int64_t>();
  const auto& offsets = source.column->offsets;
  const auto length = [&](int64_t i) { return std::min(most, r[i] < 0 ? 0 : offsets[r[i] + 1] - offsets[r[i]]); };
  int64_t longest = 1;
  for (int64_t i = 0; i < row.numel(); ++i) {
    require(r[i] >= -1 && r[i] < source.table->columns->rows, "network input: row ", r[i], " is outside [-1, ",
            source.table->columns->rows, ")");
    longest = std::max(longest, length(i));
  }
  at::Tensor ids = at::full({row.size(0), row.size(1), longest}, -1, at::kLong);
  int64_t* to = ids.data_ptr<int64_t>();
  for (int64_t i = 0; i < row.numel(); ++i, to += longest)
    if (const int64_t n = length(i)) std::copy_n(source.column->ids.data() + offsets[r[i] + 1] - n, n, to);
  return ids;
}

}  // namespace fewshop::nn
