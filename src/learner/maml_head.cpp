#include "learner/maml_head.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "learner/head_form.h"
#include "runtime/gradient_head.h"

namespace fewshop::learning {

std::unique_ptr<TaskHead> MamlHead::task_head() const {
  at::NoGradGuard no_grad;
  const int64_t outputs = network().outputs(), size = network().feature_size();
  // [O, D] or [1, D] and [O] or [1] side by side: [O, D + 1]
  const auto joined = [&](const Tensor& weight, const Tensor& bias) {
    return floats(at::cat({weight.expand({outputs, size}), bias.unsqueeze(1).expand({outputs, 1})}, 1));
  };
  const std::vector<Tensor> start = initial();
  GradientHead::Arrays a;
  a.link = head_link(likelihood(), beside());
  a.size = static_cast<int32_t>(size);
  a.scale = scale();
  a.weights = joined(start[start.size() - 2], start[start.size() - 1]);
  a.steps = step_sizes().runtime_form(steps());
  if (const auto& coordinate = step_sizes().coordinates(); !coordinate.empty())
    a.coordinate = joined(coordinate[0], coordinate[1]);
  return std::make_unique<GradientHead>(std::move(a));
}

}  // namespace fewshop::learning
