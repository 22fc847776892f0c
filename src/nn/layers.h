#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

namespace fewshop::nn {

// Axes: T tasks, S rows of a task, p inputs, d outputs. Parameters are shared by all tasks, or have a leading task
// axis.

enum class Activation { kRelu, kTanh };

Activation activation_from_name(const std::string& name);
at::Tensor activate(const at::Tensor& x, Activation activation);

/// x W^T + b: x [T, S, p], weight [d, p] or [T, d, p], bias [d] or [T, d]  ->  [T, S, d].
/// A shared weight makes one product of all tasks' rows.
at::Tensor dense(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);
/// The same without a bias.
at::Tensor dense(const at::Tensor& x, const at::Tensor& weight);

/// A vector of parameters, [d] or [T, d], as it adds to [T, S, d].
at::Tensor over_rows(const at::Tensor& vector);

}  // namespace fewshop::nn
