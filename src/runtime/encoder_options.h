#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/options.h"

namespace fewshop {

/// [learner.encoder]: the network that turns a row into features (docs/networks.md), for training (nn/network.h) and
/// for serving (runtime/encoder.h).
struct EncoderOptions {
  std::string name = "mlp";
  int embedding = 16;
  std::string hidden = "64-64";
  std::string activation = "relu";
  int cross_layers = 2;
  int cross_rank = 0;
  int state = 32;
  int heads = 2;
  int blocks = 1;
  int max_length = 50;
  std::string init = "unit";
};

template <class Visitor>
void fields(EncoderOptions& o, Visitor&& visit) {
  visit("name", o.name, Field{0, 1, "linear, mf, mlp, deepfm, dcn, gru, lstm or transformer"});
  visit("embedding", o.embedding, Field{1, 1024, "size of the vector of a category, word, item or task"});
  visit("hidden", o.hidden, Field{0, 1, "sizes of the hidden layers, such as 64-64; empty = none (not linear, mf)"});
  visit("activation", o.activation, Field{0, 1, "relu, or tanh (smooth)"});
  visit("cross_layers", o.cross_layers, Field{1, 10, "dcn: cross layers"});
  visit("cross_rank", o.cross_rank, Field{0, 1024, "dcn: rank of the cross layers' matrices; 0 = full"});
  visit("state", o.state, Field{1, 1024, "gru, lstm: size of the state"});
  visit("heads", o.heads, Field{1, 64, "transformer: attention heads; they divide the embedding size"});
  visit("blocks", o.blocks, Field{1, 12, "transformer: blocks of attention and dense layer"});
  visit("max_length", o.max_length, Field{1, 1000, "gru, lstm, transformer: last entries of a sequence that are read"});
  visit("init", o.init, Field{0, 1, "starting weights: unit (vectors of length 1, activations of one size) or torch"});
}

/// Options from [learner.encoder], all checked but for the fields of the data. Throws InvalidInput.
EncoderOptions encoder_options(const nlohmann::json& values);

inline bool is_smooth(const EncoderOptions& options) { return options.activation == "tanh"; }

/// "64-64" as {64, 64}; empty text as none. Throws InvalidInput.
std::vector<int64_t> hidden_sizes(const EncoderOptions& options);

}  // namespace fewshop
