#include "learner/inner_loop.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <torch/autograd.h>

namespace fewshop::learning {

std::vector<Tensor> run(const InnerLoop& loop, std::vector<Tensor> start) {
  const bool graph = at::GradMode::is_enabled(), through = graph && loop.order == 2;
  std::vector<Tensor> values = std::move(start);
  for (int step = 0; step < loop.steps; ++step) {
    std::vector<Tensor> here = values, gradients;
    {
      at::AutoGradMode enabled(true);
      if (!through)
        for (auto& value : here) value = value.detach().requires_grad_();
      gradients = torch::autograd::grad({loop.loss(here, step).sum()}, here, {}, through, through,
                                        /*allow_unused=*/true);
    }
    if (loop.watch) loop.watch(step, here, gradients);
    for (size_t i = 0; i < values.size(); ++i)
      if (gradients[i].defined()) values[i] = values[i] - loop.step_size(step, i) * gradients[i];
  }
  if (!graph)
    for (auto& value : values) value = value.detach();
  return values;
}

Tensor row_shares(const Rows& rows) {
  const Tensor importance = rows.mask * rows.weight;
  return importance / importance.sum(1, /*keepdim=*/true).clamp_min(1e-6);
}

}  // namespace fewshop::learning
