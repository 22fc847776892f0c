#include "learner/reptile.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <torch/autograd.h>

#include <algorithm>

#include "core/error.h"
#include "learner/inner_loop.h"

namespace fewshop::learning {
namespace {

MamlOptions as_maml(const ReptileOptions& o) {
  require(o.adapts == "all" || o.adapts == "decision", "learner.adapts: expected all or decision, got '", o.adapts,
          "'; what stays the same while a task adapts would not be learnt at all");
  MamlOptions maml;
  maml.order = 1;
  maml.steps = o.steps;
  maml.adapts = o.adapts;
  maml.step_size = o.step_size;
  maml.step_sizes = "fixed";
  maml.by_size = false;
  maml.choose_steps = o.choose_steps;
  maml.standardize = o.standardize;
  return maml;
}

Tensor joined(const Tensor& a, const Tensor& b) { return a.defined() ? at::cat({a, b}, 1) : a; }

/// The rows of a before those of b, task by task.
Rows joined(const Rows& a, const Rows& b) {
  Rows rows = a;
  rows.x.numbers = joined(a.x.numbers, b.x.numbers);
  for (size_t i = 0; i < rows.x.parts.size(); ++i) rows.x.parts[i].row = joined(a.x.parts[i].row, b.x.parts[i].row);
  for (size_t i = 0; i < rows.x.identities.size(); ++i)
    rows.x.identities[i].id = joined(a.x.identities[i].id, b.x.identities[i].id);
  for (const auto field :
       {&Rows::item, &Rows::target, &Rows::mask, &Rows::kind, &Rows::age, &Rows::weight, &Rows::offset})
    rows.*field = joined(a.*field, b.*field);
  return rows;
}

/// mask [T, S] with at most `most` rows of each task left, drawn at random.
Tensor drawn(const Tensor& mask, int64_t most, Random random) {
  if (most == 0 || most >= mask.size(1)) return mask;
  Tensor key = at::empty(mask.sizes(), at::kDouble);
  for (int64_t i = 0; i < key.numel(); ++i) key.data_ptr<double>()[i] = random.uniform();
  key = key + (1 - mask);  // padding comes last
  const Tensor first = std::get<1>(key.sort(1)).narrow(1, 0, most);
  return at::zeros_like(mask).scatter(1, first, 1) * mask;
}

}  // namespace

Reptile::Reptile(const ReptileOptions& options, const nlohmann::json& encoder, const EpisodicProblem& problem,
                 const Random& random)
    : Maml(as_maml(options), 2 * options.steps, encoder, problem, random), options_(options) {}

std::vector<Tensor> Reptile::outer_gradient(const Batch& batch, const Random& random) const {
  std::vector<Tensor> gradient = network_gradient(batch, random);
  const std::vector<Parameter> list = parameters();
  gradient.resize(list.size());
  std::vector<Tensor> beside;
  std::vector<size_t> where;
  for (size_t i = 0; i < list.size(); ++i)
    if (list[i].name.rfind("likelihood.", 0) == 0) {
      where.push_back(i);
      beside.push_back(list[i].value);
    }
  if (beside.empty()) return gradient;
  const auto slopes = torch::autograd::grad({query_loss(batch, random)}, beside, {}, false, false, true);
  for (size_t i = 0; i < where.size(); ++i) gradient[where[i]] = slopes[i];
  return gradient;
}

std::vector<Tensor> Reptile::network_gradient(const Batch& batch, const Random& random) const {
  at::NoGradGuard no_grad;
  Rows rows = joined(batch.support, batch.query);
  const Tensor mask = rows.mask;
  const auto shares = [&](int step) {
    rows.mask = drawn(mask, options_.inner_batch, random.fork("inner_batch").fork(static_cast<uint64_t>(step)));
    return row_shares(rows);
  };
  const std::vector<Tensor> start = initial();

  // Embeddings that stay shared: what the steps would move them by, through leaves that stand for what is embedded.
  std::vector<Tensor> tables, embedded, leaves, slopes;
  const auto& infos = network().parameters();
  std::vector<size_t> shared;
  if (options_.adapts == "decision") {
    for (size_t i = 0; i < infos.size(); ++i)
      if (infos[i].layer == nn::Layer::kEmbedding) {
        shared.push_back(i);
        tables.push_back(start[i]);
      }
    at::AutoGradMode enabled(true);
    if (!shared.empty()) embedded = network().embed(start, rows.x);
    for (const auto& e : embedded) {
      leaves.push_back(e.detach().requires_grad_());
      slopes.push_back(at::zeros_like(leaves.back()));
    }
  }
  const Watch watch = [&](int step, std::span<const Tensor> values, std::span<const Tensor>) {
    if (leaves.empty()) return;
    at::AutoGradMode enabled(true);
    std::vector<Tensor> fixed;
    for (const auto& value : values) fixed.push_back(value.detach());
    FastPart::Fixed at_leaves;
    at_leaves.embedded = leaves;
    const Tensor loss = inner_loss(part().output(part().merged(start, fixed), at_leaves), rows) * shares(step);
    const auto step_slopes = torch::autograd::grad({loss.sum()}, leaves, {}, false, false, /*allow_unused=*/true);
    for (size_t i = 0; i < leaves.size(); ++i)
      if (step_slopes[i].defined()) slopes[i].add_(step_slopes[i], 1.0 / static_cast<double>(task_count(rows)));
  };

  const auto end = adapted_weights(rows, part().fix(start, rows.x), shares, watch);
  std::vector<Tensor> gradient(infos.size());  // the network's weights are the first parameters
  for (const size_t i : part().positions()) gradient[i] = (start[i] - end[i].mean(0)) / options_.step_size;
  if (!shared.empty()) {
    std::vector<Tensor> roots, root_slopes;  // straight numbers and masks depend on no table
    for (size_t i = 0; i < embedded.size(); ++i)
      if (embedded[i].requires_grad()) {
        roots.push_back(embedded[i]);
        root_slopes.push_back(slopes[i]);
      }
    const auto sums = torch::autograd::grad(roots, tables, root_slopes, false, false, /*allow_unused=*/true);
    for (size_t i = 0; i < shared.size(); ++i) gradient[shared[i]] = sums[i];
  }
  return gradient;
}

std::unique_ptr<EpisodicModel> make_reptile(const nlohmann::json& options, const nlohmann::json& encoder,
                                            const EpisodicProblem& problem, Random random) {
  ReptileOptions o;
  set_fields(o, options, "learner");
  return std::make_unique<Reptile>(o, encoder, problem, random);
}

}  // namespace fewshop::learning
