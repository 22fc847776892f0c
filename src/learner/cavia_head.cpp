#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "learner/cavia.h"
#include "learner/head_form.h"
#include "runtime/context_head.h"
#include "runtime/encoder_options.h"

namespace fewshop::learning {

// A context that is concatenated to what the dense layers read leaves only the embeddings as they are: the encoder at
// serving time is the network without layers (linear), and the layers belong to the head.
nlohmann::json Cavia::encoder_options(const nlohmann::json& encoder) const {
  if (multiplicative_) return encoder;
  return {{"name", "linear"}, {"embedding", fewshop::encoder_options(encoder).embedding}};
}

std::vector<Tensor> Cavia::encoder_parameters() const {
  if (multiplicative_) return {weights().begin(), weights().end()};
  std::vector<Tensor> p;
  for (const auto& info : encoder_->parameters()) {
    const auto& infos = network().parameters();
    size_t i = 0;
    while (i < infos.size() && (infos[i].name != info.name || infos[i].layer != nn::Layer::kEmbedding)) ++i;
    // Its own head is not asked.
    p.push_back(i < infos.size() ? weights()[i] : at::zeros(info.shape, weights()[0].options()).detach());
  }
  return p;
}

std::unique_ptr<TaskHead> Cavia::task_head() const {
  at::NoGradGuard no_grad;
  ContextHead::Arrays a;
  a.link = head_link(likelihood(), beside());
  a.scale = scale();
  a.multiplicative = multiplicative_;
  const auto& infos = network().parameters();
  const auto body = network().dense_body();
  a.smooth = !multiplicative_ && body->smooth;
  for (size_t i = 0; i < infos.size(); ++i) {
    const bool dense = infos[i].layer == nn::Layer::kHead || (!multiplicative_ && infos[i].layer == nn::Layer::kBody);
    if (!dense || infos[i].shape.size() != 2) continue;
    a.layers.push_back({static_cast<int32_t>(infos[i].shape[1]), static_cast<int32_t>(infos[i].shape[0]),
                        floats(weights()[i]), floats(weights()[i + 1])});  // a weight has its bias behind it
  }
  a.context = options_.context;
  a.weight = floats(weight_);
  if (multiplicative_) {
    a.gain = floats(scale_);
    a.shift = floats(shift_);
  }
  a.steps = step_sizes_.runtime_form(steps());
  if (const auto& coordinate = step_sizes_.coordinates(); !coordinate.empty()) a.coordinate = floats(coordinate[0]);
  return std::make_unique<ContextHead>(std::move(a));
}

}  // namespace fewshop::learning
