#include "learner/baseline/row_matrix.h"

#include "core/error.h"
#include "scenario/names.h"
#include "task/row_episode.h"

namespace fewshop {

RowMatrix row_matrix(const RowFitInput& input, bool items) {
  const Dataset& data = input.data;
  std::vector<ContentMap::Input> own = ContentMap::inputs_of(data.row_features);
  for (const auto& of_item : ContentMap::inputs_of(data.item_features)) own.push_back(of_item);
  RowMatrix matrix;
  matrix.inputs = {std::move(own), items ? static_cast<int32_t>(data.items()) : 0,
                   ContentMap::inputs_of(data.task_features)};
  matrix.begin.push_back(0);
  SparseRow sparse;
  std::vector<ColumnView> views;
  int32_t tasks = 0;
  for (const auto& task : input.tasks) {
    const auto description = data.task_features.row(task.task);
    for (const int32_t r : task.rows) {
      if (!(data.weight[r] > 0)) continue;
      matrix.inputs.flatten(row_input(data, r, {}, views), description, sparse);
      matrix.column.insert(matrix.column.end(), sparse.index.begin(), sparse.index.end());
      matrix.value.insert(matrix.value.end(), sparse.value.begin(), sparse.value.end());
      matrix.begin.push_back(static_cast<int64_t>(matrix.column.size()));
      matrix.target.push_back(data.target[r]);
      matrix.weight.push_back(data.weight[r]);
      matrix.row.push_back(r);
      matrix.task.push_back(tasks);
    }
    ++tasks;
  }
  require(matrix.rows() > 0, input.scenario.name, ": no training row has a weight above 0");
  return matrix;
}

Family family_of(Problem problem) {
  switch (problem) {
    case Problem::kBinary:
      return Family::kBernoulli;
    case Problem::kMulticlass:
      return Family::kCategorical;
    case Problem::kOrdinal:
      return Family::kOrdinal;
    case Problem::kCount:
      return Family::kPoisson;
    case Problem::kRegression:
      return Family::kGaussian;
    default:
      throw InvalidInput(std::string(problem_name(problem)) + ": is no problem of rows");
  }
}

}  // namespace fewshop
