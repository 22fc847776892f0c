#include "runtime/encoder_options.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

namespace fewshop {
namespace {

constexpr std::array<std::string_view, 8> kNames = {"linear", "mf",  "mlp",  "deepfm",
                                                    "dcn",    "gru", "lstm", "transformer"};

/// The next number of "64-64" at `text`, which moves behind it and the dash that follows; 0 where there is none.
int64_t next_size(std::string_view& text) {
  int64_t size = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), size);
  if (error != std::errc()) return 0;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  if (text.empty()) return size;
  const bool more = text.front() == '-' && text.size() > 1;
  text.remove_prefix(1);
  return more ? size : 0;
}

}  // namespace

std::vector<int64_t> hidden_sizes(const EncoderOptions& options) {
  constexpr int64_t kWidest = 8192;
  std::vector<int64_t> sizes;
  for (std::string_view text = options.hidden; !text.empty();) {
    const int64_t size = next_size(text);
    require(size >= 1 && size <= kWidest, "learner.encoder.hidden: expected sizes in [1, ", kWidest,
            "] with - between them, such as \"64-64\", got \"", options.hidden, "\"");
    sizes.push_back(size);
  }
  return sizes;
}

EncoderOptions encoder_options(const nlohmann::json& values) {
  EncoderOptions o;
  if (!values.is_null()) set_fields(o, values, "learner.encoder");
  std::string known;
  for (const auto name : kNames) known += (known.empty() ? "" : ", ") + std::string(name);
  require(std::find(kNames.begin(), kNames.end(), o.name) != kNames.end(), "learner.encoder.name: unknown name '",
          o.name, "'; known names: ", known);
  require(o.activation == "relu" || o.activation == "tanh", "learner.encoder.activation: expected relu or tanh, got '",
          o.activation, "'");
  require(o.init == "unit" || o.init == "torch", "learner.encoder.init: expected unit or torch, got '", o.init, "'");
  require(o.name != "transformer" || o.embedding % o.heads == 0, "learner.encoder.heads: ", o.heads,
          " heads do not divide the embedding size ", o.embedding);
  hidden_sizes(o);
  return o;
}

}  // namespace fewshop
