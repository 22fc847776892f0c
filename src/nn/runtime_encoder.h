#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <vector>

#include "nn/network.h"
#include "runtime/encoder.h"

namespace fewshop::nn {

/// The form of a trained network that answers at serving time: options, fields and outputs as make_network took them,
/// p its shared parameters. Throws InvalidInput where the network has no such form (Encoder::has_form).
std::unique_ptr<Encoder> runtime_encoder(const nlohmann::json& options, const std::vector<Field>& fields,
                                         int64_t outputs, std::span<const at::Tensor> p);

}  // namespace fewshop::nn
