#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/random.h"
#include "runtime/encoder.h"

namespace fewshop {

/// A network with a runtime form, embedding size 3, random parameters, two outputs, on two numbers, a bag of items and
/// a category of tasks.
inline Encoder::Arrays random_encoder_arrays(const std::string& name, int cross_rank = 0) {
  Encoder::Arrays a;
  a.options.name = name;
  a.options.embedding = 3;
  a.options.hidden = "4-3";
  a.options.cross_rank = cross_rank;
  a.fields = {{"numbers", 2, 0}, {"items.tags", 0, 4}, {"tasks.age", 0, 3}};
  a.outputs = 2;
  Random random(5);
  const auto add = [&](const std::string& parameter, int64_t size) {
    auto& values = a.parameters[parameter];
    for (int64_t i = 0; i < size; ++i) values.push_back(static_cast<float>(random.normal()));
  };
  const bool factors = name == "mf" || name == "deepfm";
  const int64_t k = factors ? 4 : 3;  // with the bias, or the first-order weight
  if (factors) add("embedding.numbers", 2 * k);
  add("embedding.items.tags", 4 * k);
  add("embedding.tasks.age", 3 * k);
  const int64_t n = name == "deepfm" ? 3 * 3 : 2 + 3 + 3;
  if (name == "mf") add("task.start", 3);
  for (const std::string layer : {"cross.0", "cross.1"}) {
    if (name != "dcn") continue;
    if (cross_rank) add(layer + ".down", cross_rank * n);
    add(layer + ".weight", n * (cross_rank ? cross_rank : n));
    add(layer + ".bias", n);
  }
  const bool dense = name == "mlp" || name == "deepfm" || name == "dcn";
  if (dense) {
    add("body.0.weight", 4 * n);
    add("body.0.bias", 4);
    add("body.1.weight", 3 * 4);
    add("body.1.bias", 3);
  }
  const int64_t features = name == "linear" ? n
                           : name == "mf"   ? 4
                           : name == "mlp"  ? 3
                           : name == "dcn"  ? n + 3
                                            : 1 + 3 + 3;
  add("head.weight", 2 * features);
  add("head.bias", 2);
  return a;
}

}  // namespace fewshop
