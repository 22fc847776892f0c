#include "nn/runtime_encoder.h"

#include <torch/types.h>

#include "core/error.h"

namespace fewshop::nn {

std::unique_ptr<Encoder> runtime_encoder(const nlohmann::json& options, const std::vector<Field>& fields,
                                         int64_t outputs, std::span<const at::Tensor> p) {
  const auto network = make_network(options, fields, outputs);
  const auto& parameters = network->parameters();
  require(p.size() == parameters.size(), "encoder: expected ", parameters.size(), " parameters, got ", p.size());
  Encoder::Arrays arrays;
  arrays.options = encoder_options(options);
  for (const Field& field : fields)
    arrays.fields.push_back({field.name, static_cast<int32_t>(field.width), static_cast<int32_t>(field.vocabulary)});
  arrays.outputs = static_cast<int32_t>(outputs);
  for (size_t i = 0; i < p.size(); ++i) {
    require(p[i].sizes() == at::IntArrayRef(parameters[i].shape), "encoder: parameter ", parameters[i].name,
            ": expected ", at::IntArrayRef(parameters[i].shape), ", got ", p[i].sizes());
    const at::Tensor value = p[i].detach().to(at::kFloat).contiguous();
    const float* x = value.data_ptr<float>();
    arrays.parameters[parameters[i].name] = {x, x + value.numel()};
  }
  return Encoder::make(std::move(arrays));
}

}  // namespace fewshop::nn
