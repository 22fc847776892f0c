#include "learner/encoded_parts.h"

#include "nn/runtime_encoder.h"
#include "runtime/encoder_options.h"

namespace fewshop::learning {

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

}  // namespace fewshop::learning
