#include "learner/encoded_parts.h"

#include <ATen/Functions.h>

#include <algorithm>

#include "nn/runtime_encoder.h"
#include "runtime/encoder_options.h"

namespace fewshop::learning {
namespace {

constexpr int64_t kMostFeatures = 1024;   // as EncoderOptions::embedding
constexpr int64_t kItemsTogether = 4096;  // that are encoded at a time

/// Features of all items [items, D].
std::vector<float> item_features(const HasTaskHead& model, const ItemInputs& inputs) {
  at::NoGradGuard no_grad;
  const nn::Network& network = model.encoder();
  const auto parameters = model.encoder_parameters();
  const auto items = static_cast<int64_t>(inputs.parts().known.size());
  std::vector<float> features;
  features.reserve(static_cast<size_t>(items * network.feature_size()));
  for (int64_t begin = 0; begin < items; begin += kItemsTogether) {
    const Tensor item = at::arange(begin, std::min(items, begin + kItemsTogether), at::kLong).unsqueeze(0);
    const Tensor x =
        network.features(parameters, network.embed(parameters, inputs.input(item, {}))).to(at::kFloat).contiguous();
    features.insert(features.end(), x.data_ptr<float>(), x.data_ptr<float>() + x.numel());
  }
  return features;
}

}  // namespace

std::optional<EncodedHalves> encoded_parts(const EpisodicRecipe& recipe, const EpisodicModel& model) {
  const auto* adapting = dynamic_cast<const HasTaskHead*>(&model);
  if (!adapting) return std::nullopt;
  const nlohmann::json options = adapting->encoder_options(recipe.encoder);
  if (!Encoder::has_form(encoder_options(options))) return std::nullopt;
  auto head = adapting->task_head();
  if (!head) return std::nullopt;
  return EncodedHalves{nn::runtime_encoder(options, recipe.problem.fields, adapting->encoder().outputs(),
                                           adapting->encoder_parameters()),
                       std::move(head)};
}

std::optional<EncodedHalves> stored_parts(const EpisodicRecipe& recipe, const EpisodicModel& model,
                                          const ItemInputs& inputs) {
  const auto* adapting = dynamic_cast<const HasTaskHead*>(&model);
  if (!adapting || !recipe.problem.description.empty()) return std::nullopt;
  const nn::Network& network = adapting->encoder();
  auto head = adapting->task_head();
  if (!head || network.feature_size() > kMostFeatures) return std::nullopt;
  Encoder::Arrays arrays;
  arrays.options.name = "linear";
  arrays.options.embedding = static_cast<int>(network.feature_size());
  arrays.fields = {{"item", 0, static_cast<int32_t>(inputs.parts().known.size())}};
  arrays.outputs = static_cast<int32_t>(network.outputs());
  arrays.parameters["embedding.item"] = item_features(*adapting, inputs);
  const auto parameters = adapting->encoder_parameters();
  for (size_t i = 0; i < parameters.size(); ++i)
    if (network.parameters()[i].layer == nn::Layer::kHead) {
      const Tensor value = parameters[i].detach().to(at::kFloat).contiguous();
      arrays.parameters[network.parameters()[i].name] = {value.data_ptr<float>(),
                                                         value.data_ptr<float>() + value.numel()};
    }
  return EncodedHalves{Encoder::make(std::move(arrays)), std::move(head)};
}

}  // namespace fewshop::learning
