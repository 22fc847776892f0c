#pragma once

#include <memory>
#include <vector>

#include "nn/network.h"
#include "runtime/encoder_options.h"

namespace fewshop::nn {

// The networks, one file each; `options` are checked. docs/networks.md has formulas, sizes and papers.

std::unique_ptr<Network> make_linear(const EncoderOptions& options, std::vector<Field> fields, int64_t outputs);
std::unique_ptr<Network> make_mlp(const EncoderOptions& options, std::vector<Field> fields, int64_t outputs);
std::unique_ptr<Network> make_mf(const EncoderOptions& options, std::vector<Field> fields, int64_t outputs);
std::unique_ptr<Network> make_deepfm(const EncoderOptions& options, std::vector<Field> fields, int64_t outputs);
std::unique_ptr<Network> make_dcn(const EncoderOptions& options, std::vector<Field> fields, int64_t outputs);
std::unique_ptr<Network> make_gru(const EncoderOptions& options, std::vector<Field> fields, int64_t outputs);
std::unique_ptr<Network> make_lstm(const EncoderOptions& options, std::vector<Field> fields, int64_t outputs);
std::unique_ptr<Network> make_transformer(const EncoderOptions& options, std::vector<Field> fields, int64_t outputs);

}  // namespace fewshop::nn
