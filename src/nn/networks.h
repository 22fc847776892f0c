#pragma once

#include <memory>
#include <vector>

#include "nn/basic_network.h"
#include "runtime/encoder_options.h"

namespace fewshop::nn {

// The networks, one file each; `options` are checked. docs/networks.md has formulas, sizes and papers.

std::unique_ptr<BasicNetwork> make_linear(const EncoderOptions& options, std::vector<Field> fields, int64_t outputs);
std::unique_ptr<BasicNetwork> make_mlp(const EncoderOptions& options, std::vector<Field> fields, int64_t outputs);
std::unique_ptr<BasicNetwork> make_mf(const EncoderOptions& options, std::vector<Field> fields, int64_t outputs);
std::unique_ptr<BasicNetwork> make_deepfm(const EncoderOptions& options, std::vector<Field> fields, int64_t outputs);
std::unique_ptr<BasicNetwork> make_dcn(const EncoderOptions& options, std::vector<Field> fields, int64_t outputs);
std::unique_ptr<BasicNetwork> make_gru(const EncoderOptions& options, std::vector<Field> fields, int64_t outputs);
std::unique_ptr<BasicNetwork> make_lstm(const EncoderOptions& options, std::vector<Field> fields, int64_t outputs);
std::unique_ptr<BasicNetwork> make_transformer(const EncoderOptions& options, std::vector<Field> fields,
                                               int64_t outputs);

}  // namespace fewshop::nn
