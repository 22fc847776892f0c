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

nn::DenseRows Maml::dense_rows(std::span<const Tensor> shared, const Rows& rows) const {
  nn::DenseRows dense{dense_input(shared, rows), rows.target, row_shares(rows), rows.offset};
  if (family() == Family::kGaussian) {  // the inner loss is in units of scale
    dense.target = (rows.offset.defined() ? rows.target - rows.offset : rows.target) / scale();
    dense.offset = Tensor();
  }
  return dense;
}

/// What the first layer that adapts reads.
Tensor Maml::dense_input(std::span<const Tensor> shared, const Rows& rows) const {
  const auto embedded = network().embed(shared, rows.x);
  return options().adapts == "head" ? network().features(shared, embedded) : embedded[0];
}

Maml::Dense Maml::dense(std::span<const Tensor> shared, const Tensor& support_mask) const {
  Dense dense;
  nn::DenseInnerLoop& loop = dense.loop;
  loop.smooth = network().dense_body()->smooth;
  loop.steps = steps();
  loop.order = options().order;
  loop.family = family();
  nn::DenseParameters& parameters = dense.parameters;
  const Tensor factor = step_sizes().by_size(step_sizes().shares(support_mask), loop.steps);
  std::vector<Tensor> factors;
  for (const size_t i : dense_layers()) {
    const auto& positions = part().positions();
    const auto at = std::find(positions.begin(), positions.end(), i) - positions.begin();
    const bool adapts = at < std::ssize(positions);
    parameters.initial.push_back(shared[i]);
    parameters.step_size.push_back(adapts ? step_sizes().without_size(at, loop.steps) : Tensor());
    if (factor.defined()) factors.push_back(adapts ? factor.select(2, at) : at::ones_like(factor.select(2, 0)));
  }
  if (factor.defined()) parameters.step_factor = at::stack(factors, 2);
  loop.sizes = {parameters.initial[0].size(1)};
  for (size_t i = 0; i < parameters.initial.size(); i += 2) loop.sizes.push_back(parameters.initial[i].size(0));
  if (family() == Family::kGaussian)  // the squared error, but for a constant
    parameters.beside = at::full({}, std::log(0.5), shared[0].options().requires_grad(false));
  else if (family() == Family::kOrdinal)
    parameters.beside = ordinal_thresholds(beside());
  else if (!beside().empty())
    parameters.beside = beside()[0];
  return dense;
}

Tensor Maml::dense_query_loss(const Batch& batch) const {
  const std::vector<Tensor> shared = initial();
  const auto [loop, parameters] = dense(shared, batch.support.mask);
  const nn::DenseRows support = dense_rows(shared, batch.support);
  if (family() == Family::kGaussian)
    return outer_loss(nn::dense_inner_loop(loop, parameters, support, dense_input(shared, batch.query)), batch.query);
  return nn::dense_inner_loop_loss(loop, parameters, support, dense_rows(shared, batch.query)) /
         static_cast<double>(task_count(batch.query));
}

/// Of the layers from the first that adapts those that do, in the order of part().positions().
std::vector<Tensor> Maml::adapting_of(const std::vector<Tensor>& layers) const {
  const auto places = dense_layers();
  std::vector<Tensor> adapting;
  for (const size_t i : part().positions())
    adapting.push_back(layers.at(std::find(places.begin(), places.end(), i) - places.begin()));
  return adapting;
}

Maml::DenseSteps Maml::dense_adapted(const Rows& support) const {
  const std::vector<Tensor> shared = initial();
  auto [loop, parameters] = dense(shared, support.mask);
  const nn::DenseRows rows = dense_rows(shared, support);
  DenseSteps steps;
  steps.after = adapting_of(nn::dense_inner_loop_weights(loop, parameters, rows));
  loop.steps -= 1;
  for (auto& size : parameters.step_size)
    if (size.defined()) size = size.narrow(0, 0, loop.steps);
  if (parameters.step_factor.defined()) parameters.step_factor = parameters.step_factor.narrow(1, 0, loop.steps);
  steps.before = adapting_of(nn::dense_inner_loop_weights(loop, parameters, rows));
  return steps;
}

}  // namespace fewshop::learning
