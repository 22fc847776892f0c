#include "bench/inner_loop_problems.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <torch/autograd.h>

#include <cmath>
#include <utility>

#include "core/parallel.h"
#include "core/random.h"
#include "learner/adam.h"
#include "nn/dense_inner_loop.h"
#include "nn/network.h"

namespace fewshop::bench {
namespace {

using at::Tensor;

Tensor normal(at::IntArrayRef shape, uint64_t seed) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return at::randn(shape, generator, at::TensorOptions(at::kFloat));
}

Tensor numbers_below(int64_t most, at::IntArrayRef shape, uint64_t seed) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return at::randint(most, shape, generator, at::TensorOptions(at::kLong));
}

/// Multiply-adds of all products, twice: first layer in its dual form, see nn/dense_backward.cpp.
double flops(const std::vector<int64_t>& sizes, int64_t n, int64_t q, int order, bool x) {
  const int64_t f = sizes[0], m = sizes[1], all = n + q;
  int64_t above = 0;
  for (size_t l = 1; l + 1 < sizes.size(); ++l) above += sizes[l] * sizes[l + 1];
  const int64_t forward = all * f * (n + m) + kSteps * (n * n * m + 3 * n * above) + q * n * m + q * above;
  int64_t backward = 2 * q * above + q * n * m + (order == 2 ? all : q) * f * m;
  if (order == 2) backward += kSteps * (n * n * m + 6 * n * above);
  if (x)
    backward += (order == 2 ? kSteps * n * n * m + all * all * f + all * f * m : q * all * f + q * f * m) + q * n * m;
  return 2.0 * static_cast<double>(forward + backward);
}

nn::DenseRows rows_of(Tensor x, Tensor target) {
  const auto weight = at::full(target.sizes(), 1.0 / static_cast<double>(target.size(1)), at::kFloat);
  return {std::move(x), std::move(target), weight, {}};
}

nn::DenseRows narrow(const nn::DenseRows& rows, int64_t begin, int64_t end) {
  const auto part = [&](const Tensor& t) { return t.defined() ? t.narrow(0, begin, end - begin) : t; };
  return {part(rows.x), part(rows.target), part(rows.weight) / static_cast<double>(end - begin), part(rows.offset)};
}

std::vector<Tensor> fixed_steps(size_t count) { return {count, at::full({kSteps}, 0.01, at::kFloat)}; }

/// log(0.5): the Gaussian loss is the squared error.
Tensor squared_error() { return at::full({}, std::log(0.5), at::kFloat); }

TrainingProblem perceptron(std::vector<int64_t> sizes, int64_t n, int64_t q, int order, Family family) {
  TrainingProblem problem;
  for (size_t l = 0; l + 1 < sizes.size(); ++l) {
    const Tensor weight = normal({sizes[l + 1], sizes[l]}, l) / std::sqrt(static_cast<double>(sizes[l]));
    problem.parameters.push_back({"weight", weight.requires_grad_(), {}});
    problem.parameters.push_back({"bias", at::zeros({sizes[l + 1]}, at::kFloat).requires_grad_(), {}});
  }
  const auto target = [&](int64_t rows, uint64_t seed) {
    return family == Family::kCategorical ? numbers_below(sizes.back(), {kTasks, rows}, seed).to(at::kFloat)
                                          : normal({kTasks, rows}, seed);
  };
  const nn::DenseRows support = rows_of(normal({kTasks, n, sizes[0]}, 10), target(n, 11)),
                      query = rows_of(normal({kTasks, q, sizes[0]}, 12), target(q, 13));
  problem.flops_of_a_task = flops(sizes, n, q, order, false);
  const nn::DenseInnerLoop loop{sizes, false, kSteps, order, 1, family};
  std::vector<Tensor> initial;
  for (const auto& p : problem.parameters) initial.push_back(p.value);
  problem.query_loss = [=](int64_t begin, int64_t end) {
    const Tensor beside = family == Family::kGaussian ? squared_error() : Tensor();
    return nn::dense_inner_loop_loss(loop, {initial, fixed_steps(initial.size()), beside, Tensor()},
                                     narrow(support, begin, end), narrow(query, begin, end));
  };
  return problem;
}

/// A table of bags: each of `rows` rows has `ones` random entries of a vocabulary, column by column.
std::shared_ptr<const nn::InputTable> table(const std::string& name, int64_t rows,
                                            const std::vector<std::pair<int32_t, int64_t>>& vocabularies,
                                            Random random) {
  auto columns = std::make_shared<Columns>();
  columns->rows = rows;
  for (const auto& [vocabulary, ones] : vocabularies) {
    auto offsets = std::make_shared<std::vector<int64_t>>(1, 0);
    auto ids = std::make_shared<std::vector<int32_t>>();
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t i = 0; i < ones; ++i) ids->push_back(static_cast<int32_t>(random.below(vocabulary)));
      offsets->push_back(static_cast<int64_t>(ids->size()));
    }
    Column column;
    column.name = name + "." + std::to_string(columns->columns.size());
    column.vocabulary = vocabulary;
    column.offsets = *offsets;
    column.ids = *ids;
    columns->columns.push_back(column);
    columns->storage.push_back(offsets);
    columns->storage.push_back(ids);
  }
  auto result = std::make_shared<nn::InputTable>(nn::input_table(*columns));
  // The columns live as long as the table that points to them.
  return {result.get(), [result, columns](const nn::InputTable*) mutable { result.reset(); }};
}

}  // namespace

TrainingProblem few_shot(int order) { return perceptron({64, 64, 64, 5}, 25, 75, order, Family::kCategorical); }

TrainingProblem melu_layers(int order) { return perceptron({256, 64, 64, 1}, 36, 10, order, Family::kGaussian); }

TrainingProblem melu_whole(int order) {
  constexpr int64_t kItems = 3706, kUsers = 6040, kSupport = 36, kQuery = 10;
  const auto items = table("items", kItems, {{6, 1}, {25, 2}, {2186, 1}, {8030, 4}}, Random(1));
  const auto users = table("users", kUsers, {{2, 1}, {7, 1}, {21, 1}, {3402, 1}}, Random(2));
  const Tensor item = numbers_below(kItems, {kTasks, kSupport + kQuery}, 3),
               user = numbers_below(kUsers, {kTasks, 1}, 4).expand({kTasks, kSupport + kQuery}).contiguous();
  const auto input = [=](int64_t begin, int64_t end) {
    return nn::NetworkInput{
        {}, {{items, item.narrow(0, begin, end - begin)}, {users, user.narrow(0, begin, end - begin)}}, {}};
  };
  const std::shared_ptr<nn::Network> network =
      nn::make_network({{"name", "mlp"}, {"embedding", 32}, {"hidden", "64-64"}}, nn::fields(input(0, 1)), 1);
  TrainingProblem problem;
  std::vector<Tensor> all, decision;
  const auto start = nn::initial_parameters(*network, Random(5));
  for (size_t i = 0; i < start.size(); ++i) {
    problem.parameters.push_back({network->parameters()[i].name, start[i].clone().requires_grad_(), {}});
    all.push_back(problem.parameters.back().value);
    if (network->parameters()[i].layer != nn::Layer::kEmbedding) decision.push_back(all.back());
  }
  std::vector<int64_t> sizes = network->dense_body()->sizes;
  sizes.push_back(1);
  problem.flops_of_a_task = flops(sizes, kSupport, kQuery, order, true);
  const nn::DenseInnerLoop loop{sizes, false, kSteps, order, 1, Family::kGaussian};
  const nn::DenseRows support = rows_of({}, normal({kTasks, kSupport}, 6)),
                      query = rows_of({}, normal({kTasks, kQuery}, 7));
  problem.query_loss = [=](int64_t begin, int64_t end) {
    const Tensor x = network->embed(all, input(begin, end)).front();
    nn::DenseRows s = narrow(support, begin, end), q = narrow(query, begin, end);
    s.x = x.narrow(1, 0, kSupport);
    q.x = x.narrow(1, kSupport, kQuery);
    return nn::dense_inner_loop_loss(loop, {decision, fixed_steps(decision.size()), squared_error(), Tensor()}, s, q);
  };
  return problem;
}

struct TrainingStep::State {
  explicit State(TrainingProblem given) : problem(std::move(given)), adam(problem.parameters, 1e-8) {
    for (const auto& p : problem.parameters) leaves.push_back(p.value);
  }
  TrainingProblem problem;
  learning::Adam adam;
  std::vector<Tensor> leaves;
};

TrainingStep::TrainingStep(TrainingProblem problem) : state_(std::make_unique<State>(std::move(problem))) {}
TrainingStep::~TrainingStep() = default;

double TrainingStep::flops() const { return kTasks * state_->problem.flops_of_a_task; }

void TrainingStep::run(int threads) {
  constexpr int kShards = 4;
  std::vector<torch::autograd::variable_list> gradients(kShards);
  parallel_for(kShards, threads, 1, [&](int64_t begin, int64_t end, int) {
    at::set_num_threads(1);
    for (int64_t shard = begin; shard < end; ++shard) {
      const Tensor loss =
          state_->problem.query_loss(kTasks * shard / kShards, kTasks * (shard + 1) / kShards) / kShards;
      gradients[shard] = torch::autograd::grad({loss}, state_->leaves);
    }
  });
  state_->adam.step(gradients, 1e-3, threads);
}

}  // namespace fewshop::bench
