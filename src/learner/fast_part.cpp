#include "learner/fast_part.h"

#include <ATen/Functions.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/error.h"

namespace fewshop::learning {

FastPart::FastPart(const nn::Network& network, const std::string& part, const std::string& option) : network_(network) {
  constexpr std::pair<const char*, Part> kParts[] = {
      {"head", Part::kHead}, {"body", Part::kBody}, {"decision", Part::kDecision}, {"all", Part::kAll}};
  const auto* found =
      std::find_if(std::begin(kParts), std::end(kParts), [&](const auto& p) { return part == p.first; });
  require(found != std::end(kParts), option, ": expected head, body, decision or all, got '", part, "'");
  part_ = found->second;
  const auto& parameters = network.parameters();
  for (size_t i = 0; i < parameters.size(); ++i) {
    const bool head = parameters[i].layer == nn::Layer::kHead, body = parameters[i].layer == nn::Layer::kBody;
    if (part_ == Part::kAll || (head && part_ != Part::kBody) || (body && part_ != Part::kHead))
      positions_.push_back(i);
  }
  require(!positions_.empty(), option,
          ": this network has no layers between its embeddings and its head, so there is no ", part,
          " to adapt; take head, or an encoder with hidden layers");
}

int64_t FastPart::size() const {
  int64_t total = 0;
  for (const size_t i : positions_) {
    int64_t numbers = 1;
    for (const int64_t n : network_.parameters()[i].shape) numbers *= n;
    total += numbers;
  }
  return total;
}

std::vector<Tensor> FastPart::start(std::span<const Tensor> weights, int64_t tasks) const {
  std::vector<Tensor> fast;
  for (const size_t i : positions_) {
    auto shape = weights[i].sizes().vec();
    shape.insert(shape.begin(), tasks);
    fast.push_back(weights[i].unsqueeze(0).expand(shape));
  }
  return fast;
}

FastPart::Fixed FastPart::fix(std::span<const Tensor> weights, const nn::NetworkInput& input) const {
  Fixed fixed;
  if (part_ == Part::kAll) {
    fixed.input = input;
    return fixed;
  }
  fixed.embedded = network_.embed(weights, input);
  if (part_ == Part::kHead) {
    fixed.features = network_.features(weights, fixed.embedded);
    fixed.embedded.clear();
  }
  return fixed;
}

std::vector<Tensor> FastPart::merged(std::span<const Tensor> weights, std::span<const Tensor> fast) const {
  std::vector<Tensor> p(weights.begin(), weights.end());
  for (size_t i = 0; i < positions_.size(); ++i) p[positions_[i]] = fast[i];
  return p;
}

Tensor FastPart::features(std::span<const Tensor> merged, const Fixed& rows) const {
  if (part_ == Part::kHead) return rows.features;
  return network_.features(merged, part_ == Part::kAll ? network_.embed(merged, rows.input) : rows.embedded);
}

Tensor FastPart::output(std::span<const Tensor> merged, const Fixed& rows) const {
  return network_.head(merged, features(merged, rows));
}

Adapted fast_state(std::vector<Tensor> fast) {
  Adapted adapted;
  for (size_t i = 0; i < fast.size(); ++i) adapted["fast." + std::to_string(i)] = std::move(fast[i]);
  return adapted;
}

std::vector<Tensor> fast_weights(const Adapted& adapted, size_t count) {
  std::vector<Tensor> fast;
  for (size_t i = 0; i < count; ++i) fast.push_back(adapted.at("fast." + std::to_string(i)));
  return fast;
}

}  // namespace fewshop::learning
