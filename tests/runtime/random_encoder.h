#pragma once

#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/random.h"
#include "runtime/encoder.h"

namespace fewshop {

/// A network of these options and fields with random parameters of standard deviation 1 / root of their inputs.
inline Encoder::Arrays random_encoder_arrays(const EncoderOptions& options, std::vector<Encoder::Field> fields,
                                             int32_t outputs) {
  Encoder::Arrays a{options, std::move(fields), outputs, {}};
  Random random(5);
  const auto add = [&](const std::string& name, int64_t rows, int64_t inputs) {
    auto& values = a.parameters[name];
    for (int64_t i = 0; i < rows * inputs; ++i)
      values.push_back(static_cast<float>(random.normal() / std::sqrt(static_cast<double>(inputs))));
  };
  const int64_t k = options.embedding;
  const bool mf = options.name == "mf", deepfm = options.name == "deepfm", dcn = options.name == "dcn";
  int64_t n = 0;
  for (const auto& field : a.fields) {
    if (mf || deepfm)  // with the bias, or the first-order weight
      add("embedding." + field.name, field.width ? field.width : field.vocabulary, k + 1);
    else if (field.width == 0)
      add("embedding." + field.name, field.vocabulary, k);
    n += field.width && !deepfm ? field.width : k;
  }
  if (mf) add("task.start", 1, k);
  for (int l = 0; dcn && l < options.cross_layers; ++l) {
    const std::string name = "cross." + std::to_string(l);
    const int64_t rank = options.cross_rank;
    if (rank) add(name + ".down", rank, n);
    add(name + ".weight", n, rank ? rank : n);
    add(name + ".bias", n, 1);
  }
  int64_t last = n;
  if (!mf && options.name != "linear") {
    int layer = 0;
    for (const int64_t size : hidden_sizes(options)) {
      const std::string name = "body." + std::to_string(layer++);
      add(name + ".weight", size, last);
      add(name + ".bias", size, 1);
      last = size;
    }
  }
  add("head.weight", outputs, mf ? k + 1 : deepfm ? 1 + k + last : dcn ? n + last : last);
  add("head.bias", outputs, 1);
  return a;
}

/// Embedding size 3, hidden layers 4-3, two outputs, on two numbers, a bag of items and a category of tasks.
inline Encoder::Arrays random_encoder_arrays(const std::string& name, int cross_rank = 0) {
  EncoderOptions options;
  options.name = name;
  options.embedding = 3;
  options.hidden = "4-3";
  options.cross_rank = cross_rank;
  return random_encoder_arrays(options, {{"numbers", 2, 0}, {"items.tags", 0, 4}, {"tasks.age", 0, 3}}, 2);
}

}  // namespace fewshop
