#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <algorithm>
#include <cmath>

#include "learner/inner_loop.h"
#include "learner/maml.h"
#include "learner/ordinal.h"
#include "nn/dense_inner_loop.h"

namespace fewshop::learning {

// Plain dense layers that adapt have an inner loop of their own: the same numbers, without a recorded graph.
// What stands before the first layer that adapts is worked out once.
bool Maml::is_dense() const {
  return network().dense_body() && !options().shared_head_row && steps() > 0 &&
         (options().adapts != "all" || part().positions().size() == dense_layers().size());
}

/// Positions of the weights and biases from the first layer that adapts to the head.
std::vector<size_t> Maml::dense_layers() const {
  const auto& infos = network().parameters();
  std::vector<size_t> list;
  for (size_t i = 0; i < infos.size(); ++i)
    if (infos[i].layer == nn::Layer::kHead || (options().adapts != "head" && infos[i].layer == nn::Layer::kBody))
      list.push_back(i);
  return list;
}

Tensor Maml::dense_query_loss(const Batch& batch) const {
  const std::vector<Tensor> shared = initial();
  const auto input = [&](const Rows& rows) {
    const auto embedded = network().embed(shared, rows.x);
    return options().adapts == "head" ? network().features(shared, embedded) : embedded[0];
  };
  const bool numbers = family() == Family::kGaussian;
  const auto dense_rows = [&](const Rows& rows) {
    nn::DenseRows dense{input(rows), rows.target, row_shares(rows), rows.offset};
    if (numbers) {  // the inner loss is in units of scale
      dense.target = (rows.offset.defined() ? rows.target - rows.offset : rows.target) / scale();
      dense.offset = Tensor();
    }
    return dense;
  };

  nn::DenseInnerLoop loop;
  loop.smooth = network().dense_body()->smooth;
  loop.steps = steps();
  loop.order = options().order;
  loop.family = family();
  nn::DenseParameters parameters;
  const Tensor factor = step_sizes().by_size(step_sizes().shares(batch.support.mask), loop.steps);
  std::vector<Tensor> factors;
  for (const size_t i : dense_layers()) {
    const auto& positions = part().positions();
    const auto at = std::find(positions.begin(), positions.end(), i) - positions.begin();
    const bool adapts = at < static_cast<int64_t>(positions.size());
    parameters.initial.push_back(shared[i]);
    parameters.step_size.push_back(adapts ? step_sizes().without_size(at, loop.steps) : Tensor());
    if (factor.defined()) factors.push_back(adapts ? factor.select(2, at) : at::ones_like(factor.select(2, 0)));
  }
  if (factor.defined()) parameters.step_factor = at::stack(factors, 2);
  loop.sizes = {parameters.initial[0].size(1)};
  for (size_t i = 0; i < parameters.initial.size(); i += 2) loop.sizes.push_back(parameters.initial[i].size(0));
  if (numbers)  // the squared error, but for a constant
    parameters.beside = at::full({}, std::log(0.5), shared[0].options().requires_grad(false));
  else if (family() == Family::kOrdinal)
    parameters.beside = ordinal_thresholds(beside());
  else if (!beside().empty())
    parameters.beside = beside()[0];

  const nn::DenseRows support = dense_rows(batch.support);
  const auto tasks = static_cast<double>(task_count(batch.query));
  if (!numbers) return nn::dense_inner_loop_loss(loop, parameters, support, dense_rows(batch.query)) / tasks;
  return outer_loss(nn::dense_inner_loop(loop, parameters, support, input(batch.query)), batch.query);
}

}  // namespace fewshop::learning
