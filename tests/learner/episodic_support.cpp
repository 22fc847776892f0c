#include "learner/episodic_support.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <torch/autograd.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace fewshop::testing {
namespace {

using at::Tensor;
using learning::Batch;
using learning::Rows;

Tensor draws(at::IntArrayRef shape, at::ScalarType type, Random& random, const std::function<double(Random&)>& one) {
  Tensor t = at::empty(shape, at::kDouble);
  for (int64_t i = 0; i < t.numel(); ++i) t.data_ptr<double>()[i] = one(random);
  return t.to(type);
}

double target(Family family, int64_t classes, Random& random) {
  switch (family) {
    case Family::kGaussian:
      return random.normal();
    case Family::kScores:
    case Family::kBernoulli:
      return static_cast<double>(random.below(2));
    case Family::kCategorical:
    case Family::kOrdinal:
      return static_cast<double>(random.below(classes));
    default:
      return static_cast<double>(random.below(4));
  }
}

Rows random_rows(Family family, const EpisodeShape& shape, int64_t size, Random random) {
  Rows rows;
  const std::vector<int64_t> axes{shape.tasks, size};
  rows.x = nn::numbers_only(
      draws({shape.tasks, size, shape.numbers}, shape.type, random, [](Random& r) { return r.normal(); }));
  rows.target = draws(axes, shape.type, random, [&](Random& r) { return target(family, shape.classes, r); });
  rows.weight = draws(axes, shape.type, random, [](Random& r) { return 0.5 + r.uniform(); });
  if (family != Family::kCategorical)
    rows.offset = draws(axes, shape.type, random, [](Random& r) { return 0.3 * r.normal(); });
  rows.mask = at::ones(axes, rows.target.options());
  for (int64_t t = 1; t < shape.tasks && size > 1; t += 2) rows.mask[t][size - 1] = 0;
  rows.item = at::zeros(axes, at::kLong);
  rows.kind = at::zeros(axes, at::kLong);
  rows.age = at::zeros(axes, rows.target.options());
  return rows;
}

Tensor part(const Tensor& t, int64_t first, int64_t count) { return t.defined() ? t.narrow(0, first, count) : t; }

Rows part(const Rows& rows, int64_t first, int64_t count) {
  Rows out = rows;
  out.x.numbers = part(rows.x.numbers, first, count);
  for (auto& p : out.x.parts) p.row = part(p.row, first, count);
  for (auto& identity : out.x.identities) identity.id = part(identity.id, first, count);
  for (const auto field :
       {&Rows::item, &Rows::target, &Rows::mask, &Rows::kind, &Rows::age, &Rows::weight, &Rows::offset})
    out.*field = part(rows.*field, first, count);
  return out;
}

}  // namespace

Batch random_batch(Family family, const EpisodeShape& shape, Random random) {
  Batch batch;
  batch.support = random_rows(family, shape, shape.support, random.fork("support"));
  batch.query = random_rows(family, shape, shape.query, random.fork("query"));
  batch.task.description = at::full({shape.tasks}, -1, at::kLong);
  batch.task.known = at::full({shape.tasks}, -1, at::kLong);
  return batch;
}

learning::EpisodicProblem problem_of(Family family, const EpisodeShape& shape) {
  learning::EpisodicProblem problem;
  problem.family = family;
  problem.classes = shape.classes;
  problem.fields = {{"numbers", nn::Field::Kind::kNumbers, shape.numbers, 0}};
  problem.target_variance = 1.5;
  problem.type = shape.type;
  return problem;
}

Batch some_tasks(const Batch& batch, int64_t first, int64_t count) {
  Batch out{part(batch.support, first, count), part(batch.query, first, count), batch.task};
  out.task.description = part(batch.task.description, first, count);
  out.task.known = part(batch.task.known, first, count);
  return out;
}

double gradient_error(const learning::EpisodicModel& model, const Batch& batch, int64_t entries, double step) {
  const Random random(3);
  std::vector<Tensor> values;
  for (const auto& p : model.parameters()) values.push_back(p.value);
  const auto gradient =
      torch::autograd::grad({model.query_loss(batch, random)}, values, {}, false, false, /*allow_unused=*/true);
  double worst = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    Tensor flat = values[i].detach().view(-1);  // shares memory
    const int64_t stride = std::max<int64_t>(1, flat.numel() / entries);
    for (int64_t j = 0; j < flat.numel(); j += stride) {
      double* x = flat.data_ptr<double>() + j;
      const double start = *x;
      const auto loss_at = [&](double value) {
        *x = value;
        return model.query_loss(batch, random).item<double>();
      };
      const double numeric = (loss_at(start + step) - loss_at(start - step)) / (2 * step);
      *x = start;
      const double exact = gradient[i].defined() ? gradient[i].reshape(-1)[j].item<double>() : 0;
      worst = std::max(worst, std::abs(exact - numeric) / (1 + std::abs(numeric)));
    }
  }
  return worst;
}

void train(learning::EpisodicModel& model, const std::function<Batch(int step)>& batch, const PlainTraining& options) {
  constexpr double kBeta1 = 0.9, kBeta2 = 0.99, kEpsilon = 1e-8;
  std::vector<Tensor> values, first, second;
  for (const auto& p : model.parameters()) {
    values.push_back(p.value);
    first.push_back(at::zeros_like(p.value));
    second.push_back(at::zeros_like(p.value));
  }
  for (int step = 0; step < options.steps; ++step) {
    const Batch now = batch(step);
    const Random random = Random(5).fork(static_cast<uint64_t>(step));
    auto gradient = model.outer_gradient(now, random);
    if (gradient.empty())
      gradient =
          torch::autograd::grad({model.query_loss(now, random)}, values, {}, false, false, /*allow_unused=*/true);
    at::NoGradGuard no_grad;
    const double lr = options.lr * 0.5 * (1 + std::cos(std::numbers::pi * step / options.steps));
    const double root = std::sqrt(1 - std::pow(kBeta2, step + 1)), scale = lr / (1 - std::pow(kBeta1, step + 1));
    for (size_t i = 0; i < values.size(); ++i) {
      if (!gradient[i].defined()) continue;
      first[i].mul_(kBeta1).add_(gradient[i], 1 - kBeta1);
      second[i].mul_(kBeta2).addcmul_(gradient[i], gradient[i], 1 - kBeta2);
      values[i].addcdiv_(first[i], second[i].sqrt().div_(root).add_(kEpsilon), -scale);
    }
  }
}

}  // namespace fewshop::testing
