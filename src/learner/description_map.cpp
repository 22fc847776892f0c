#include "learner/description_map.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "core/error.h"
#include "learner/embedding.h"

namespace fewshop::learning {

DescriptionMap::DescriptionMap(const std::vector<nn::Field>& fields, int64_t outputs, at::ScalarType type) : first_{0} {
  for (const auto& field : fields)
    first_.push_back(first_.back() +
                     static_cast<int32_t>(field.kind == nn::Field::Kind::kNumbers ? field.width : field.vocabulary));
  weight_ = trained(at::zeros({first_.back(), outputs}), type);
}

Tensor DescriptionMap::operator()(const Task& task) const {
  const int64_t tasks = task.known.size(0);
  if (inputs() == 0 || !task.descriptions) return at::zeros({tasks, weight_.size(1)}, at::kDouble);
  const Columns& columns = *task.descriptions->columns;
  require(columns.columns.size() + 1 == first_.size(), "learner: tasks are described by ", columns.columns.size(),
          " columns, the model was made for ", first_.size() - 1);
  const Tensor rows = task.description.contiguous();
  Tensor inputs_of = at::zeros({tasks, inputs()}, at::kDouble);
  for (int64_t t = 0; t < tasks; ++t) {
    const int64_t row = rows.data_ptr<int64_t>()[t];
    if (row < 0 || row >= columns.rows) continue;
    double* out = inputs_of.data_ptr<double>() + t * inputs();
    for (size_t c = 0; c < columns.columns.size(); ++c) {
      const ColumnView view = columns.columns[c].row(row);
      for (size_t j = 0; j < view.dense.size(); ++j) out[first_[c] + j] = view.dense[j];
      for (const int32_t id : view.ids) out[first_[c] + id] += 1.0 / static_cast<double>(view.ids.size());
    }
  }
  return at::matmul(inputs_of, weight_.to(at::kDouble));
}

void DescriptionMap::list(std::vector<Parameter>& parameters, const std::string& name) const {
  if (inputs() > 0) parameters.push_back({name, weight_, {}});
}

}  // namespace fewshop::learning
