#include "learner/als_start.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <cmath>

#include "learner/baseline/als.h"
#include "learner/item_inputs.h"

namespace fewshop::learning {

AlsMember::Parts als_of(const FitInput& input, int factors) {
  const bool ranking = input.scenario.problem == Problem::kRanking;
  nlohmann::json constants = {{"factors", factors}, {"ridge", ranking ? kRankRidge : 8}};
  if (ranking) constants["alpha"] = 10;
  const auto members = ranking ? fit_implicit_als(input, {constants}) : fit_rating_als(input, {constants});
  return dynamic_cast<const AlsMember&>(*members.at(0)).parts();
}

void start_embeddings_from_als(const FitInput& input, std::span<const int32_t> seen, EpisodicModel& model) {
  for (Parameter& parameter : model.parameters()) {
    if (parameter.name != std::string("network.embedding.") + ItemInputs::kIdentity) continue;
    at::NoGradGuard no_grad;
    const int64_t k = parameter.value.size(1);
    const AlsMember::Parts als = als_of(input, static_cast<int>(k));
    Tensor vectors = at::zeros(parameter.value.sizes(), at::kFloat);
    double squares = 0;
    for (const int64_t i : seen)
      for (int64_t j = 0; j < k; ++j) {
        const float x = als.vectors[i * als.width + j];
        vectors.data_ptr<float>()[i * k + j] = x;
        squares += static_cast<double>(x) * x;
      }
    if (squares > 0) vectors.mul_(std::sqrt(static_cast<double>(seen.size()) / squares));  // of length about 1
    parameter.value.copy_(vectors);
  }
}

}  // namespace fewshop::learning
