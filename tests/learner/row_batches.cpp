#include "learner/row_batches.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <cmath>

namespace fewshop::testing {
namespace {

using at::Tensor;
using learning::Batch;
using learning::Rows;

constexpr int64_t kDescribed = 6;  // tasks of which something is known

Tensor random_numbers(at::IntArrayRef shape, Random& random) {
  Tensor t = at::empty(shape, at::kDouble);
  for (int64_t i = 0; i < t.numel(); ++i) t.data_ptr<double>()[i] = random.normal();
  return t;
}

double random_target(Family family, int64_t classes, Random& random) {
  if (family == Family::kGaussian) return random.normal();
  if (family == Family::kBernoulli) return static_cast<double>(random.below(2));
  if (family == Family::kPoisson || family == Family::kNegativeBinomial) return static_cast<double>(random.below(7));
  return static_cast<double>(random.below(static_cast<uint64_t>(classes)));
}

Rows random_rows(const learning::EpisodicProblem& problem, int64_t tasks, int64_t length, int64_t inputs, bool ragged,
                 Random random) {
  Rows rows;
  rows.x = nn::numbers_only(random_numbers({tasks, length, inputs}, random));
  rows.item = rows.kind = at::zeros({tasks, length}, at::kLong);
  rows.target = at::empty({tasks, length}, at::kDouble);
  rows.mask = at::ones({tasks, length}, at::kDouble);
  rows.age = at::zeros({tasks, length}, at::kDouble);
  rows.weight = random_numbers({tasks, length}, random).abs() + 0.2;
  rows.offset = 0.3 * random_numbers({tasks, length}, random);
  for (int64_t t = 0; t < tasks; ++t) {
    const int64_t used =
        ragged && t > 0 ? static_cast<int64_t>(random.below(static_cast<uint64_t>(length + 1))) : length;
    for (int64_t s = 0; s < length; ++s) {
      rows.target.data_ptr<double>()[t * length + s] = random_target(problem.family, problem.classes, random);
      if (s >= used) rows.mask.data_ptr<double>()[t * length + s] = 0;
    }
  }
  return rows;
}

}  // namespace

RowBatches::RowBatches(Family family, int64_t classes, int64_t inputs) {
  problem.family = family;
  problem.classes = classes;
  problem.type = at::kDouble;
  problem.fields = {{"numbers", nn::Field::Kind::kNumbers, inputs, 0}};
  // Descriptions: two numbers and a bag over three entries.
  auto dense = std::make_shared<std::vector<float>>();
  auto offsets = std::make_shared<std::vector<int64_t>>(1, 0);
  auto ids = std::make_shared<std::vector<int32_t>>();
  for (int i = 0; i < kDescribed; ++i) {
    dense->push_back(0.5F * static_cast<float>(i) - 1);
    dense->push_back(i % 2 == 0 ? 1.0F : -0.5F);
    for (int j = 0; j < i % 3; ++j) ids->push_back((i + j) % 3);
    offsets->push_back(static_cast<int64_t>(ids->size()));
  }
  auto columns = std::make_shared<Columns>();
  columns->rows = kDescribed;
  columns->columns = {{"tasks.age", 2, 0, *dense, {}, {}}, {"tasks.kind", 0, 3, {}, *offsets, *ids}};
  columns->storage = {dense, offsets, ids};
  auto table = std::make_shared<nn::InputTable>();
  table->fields = {{"tasks.age", nn::Field::Kind::kNumbers, 2, 0}, {"tasks.kind", nn::Field::Kind::kBag, 0, 3}};
  table->columns = columns.get();
  problem.description = table->fields;
  descriptions = table;
  storage = {columns};
}

Batch RowBatches::batch(const BatchSizes& sizes, uint64_t seed) const {
  const Random random(seed);
  Batch batch;
  batch.support = random_rows(problem, sizes.tasks, sizes.support, sizes.inputs, true, random.fork("support"));
  batch.query = random_rows(problem, sizes.tasks, sizes.query, sizes.inputs, false, random.fork("query"));
  batch.task.known = at::full({sizes.tasks}, -1, at::kLong);
  batch.task.description = at::empty({sizes.tasks}, at::kLong);
  batch.task.descriptions = descriptions;
  for (int64_t t = 0; t < sizes.tasks; ++t)  // one of them unknown
    batch.task.description.data_ptr<int64_t>()[t] = t == 1 ? -1 : t % kDescribed;
  return batch;
}

namespace {

Rows select(const Rows& rows, int64_t axis, const std::vector<int64_t>& which) {
  const Tensor index = at::tensor(which, at::kLong);
  Rows out = rows;
  out.x = nn::numbers_only(rows.x.numbers.index_select(axis, index));
  for (Tensor Rows::*field :
       {&Rows::item, &Rows::target, &Rows::mask, &Rows::kind, &Rows::age, &Rows::weight, &Rows::offset})
    out.*field = (rows.*field).index_select(axis, index);
  return out;
}

}  // namespace

Batch select_tasks(const Batch& batch, const std::vector<int64_t>& tasks) {
  const Tensor index = at::tensor(tasks, at::kLong);
  Batch out{select(batch.support, 0, tasks), select(batch.query, 0, tasks), batch.task};
  out.task.known = batch.task.known.index_select(0, index);
  out.task.description = batch.task.description.index_select(0, index);
  return out;
}

Rows select_rows(const Rows& rows, const std::vector<int64_t>& which) { return select(rows, 1, which); }

void shake(const learning::EpisodicModel& model, double deviation, uint64_t seed) {
  at::NoGradGuard no_grad;
  Random random(seed);
  for (auto& parameter : model.parameters())
    parameter.value.add_(deviation * random_numbers(parameter.value.sizes(), random).to(parameter.value.scalar_type()));
}

Tensor flat(const learning::Distribution& distribution) {
  std::vector<Tensor> all;
  for (const auto& named : distribution.parameters) {
    const Tensor& t = named.second;
    all.push_back(t.dim() == 3 ? t : t.unsqueeze(-1));
  }
  return at::cat(all, -1).detach();
}

}  // namespace fewshop::testing
