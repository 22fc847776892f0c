#include "nn/layers.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "core/error.h"

namespace fewshop::nn {
namespace {

/// x [T, S, p] times one matrix per task [T, d, p]. Products of so few numbers as a head's are cheaper as a sum.
at::Tensor per_task_product(const at::Tensor& x, const at::Tensor& weight) {
  if (weight.size(1) == 1) return (x * weight).sum(-1, true);
  return at::bmm(x, weight.transpose(1, 2));
}

}  // namespace

Activation activation_from_name(const std::string& name) {
  require(name == "relu" || name == "tanh", "activation: expected relu or tanh, got '", name, "'");
  return name == "relu" ? Activation::kRelu : Activation::kTanh;
}

at::Tensor activate(const at::Tensor& x, Activation activation) {
  return activation == Activation::kRelu ? at::relu(x) : at::tanh(x);
}

at::Tensor over_rows(const at::Tensor& vector) { return vector.dim() == 2 ? vector.unsqueeze(1) : vector; }

at::Tensor dense(const at::Tensor& x, const at::Tensor& weight) {
  if (weight.dim() == 3) return per_task_product(x, weight);
  const int64_t tasks = x.size(0), rows = x.size(1);
  return at::mm(x.reshape({tasks * rows, x.size(2)}), weight.t()).view({tasks, rows, weight.size(0)});
}

at::Tensor dense(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  const int64_t tasks = x.size(0), rows = x.size(1);
  if (weight.dim() == 2 && bias.dim() == 1)
    return at::addmm(bias, x.reshape({tasks * rows, x.size(2)}), weight.t()).view({tasks, rows, weight.size(0)});
  if (weight.dim() == 3 && weight.size(1) > 1 && bias.dim() == 2)
    return at::baddbmm(bias.unsqueeze(1), x, weight.transpose(1, 2));
  return dense(x, weight) + over_rows(bias);
}

}  // namespace fewshop::nn
