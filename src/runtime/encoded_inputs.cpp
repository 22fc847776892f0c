#include "runtime/encoded_inputs.h"

#include <algorithm>

#include "runtime/member_support.h"

namespace fewshop {
namespace {

constexpr const char* kPrefix = "encoder.";

}  // namespace

EncodedInputs::EncodedInputs(std::unique_ptr<Encoder> encoder, Parts parts)
    : encoder_(std::move(encoder)), p_(std::move(parts)) {
  const auto expected = static_cast<size_t>(p_.own) + static_cast<size_t>(p_.description) + (p_.identity ? 1 : 0);
  require(p_.own >= 0 && p_.description >= 0 && encoder_->fields().size() == expected, "encoder: it reads ",
          encoder_->fields().size(), " fields, expected ", expected);
  require(!p_.identity || encoder_->fields().back().vocabulary == static_cast<int64_t>(p_.known.size()),
          "encoder: the field of identities is not of as many items as there are");
}

void EncodedInputs::own_part(std::span<const ColumnView> columns, int32_t item, Encoder::Scratch& scratch,
                             std::span<float> part) const {
  std::fill(part.begin(), part.end(), 0.0F);
  require(columns.empty() || p_.own == 0 || columns.size() == static_cast<size_t>(p_.own), "encoder: expected ", p_.own,
          " columns of a row, got ", columns.size());
  const size_t read = p_.own ? columns.size() : 0;
  for (size_t c = 0; c < read; ++c) encoder_->add(c, columns[c], scratch, part);
  if (p_.identity && item >= 0 && item < static_cast<int64_t>(p_.known.size()) && p_.known[item])
    encoder_->add(encoder_->fields().size() - 1, {{}, {&item, 1}}, scratch, part);
}

void EncodedInputs::description_part(std::span<const ColumnView> description, Encoder::Scratch& scratch,
                                     std::span<float> part) const {
  std::fill(part.begin(), part.end(), 0.0F);
  require(description.empty() || p_.description == 0 || description.size() == static_cast<size_t>(p_.description),
          "encoder: expected ", p_.description, " columns of a task, got ", description.size());
  if (p_.description == 0) return;
  for (size_t c = 0; c < description.size(); ++c) encoder_->add(p_.own + c, description[c], scratch, part);
}

void EncodedInputs::finish(std::span<const float> own, std::span<const float> description, std::span<float> sum,
                           Encoder::Scratch& scratch, std::span<float> features) const {
  for (size_t i = 0; i < sum.size(); ++i) sum[i] = own[i] + description[i];
  encoder_->finish(sum, scratch, features);
}

void EncodedInputs::save(TensorFile& file) const {
  encoder_->save(file, kPrefix);
  file.put("inputs", std::vector<int32_t>{p_.own, p_.description, p_.identity});
  file.put("known", p_.known);
}

EncodedInputs EncodedInputs::load(const TensorFile& file) {
  const auto inputs = file.get<int32_t>("inputs");
  require(inputs.size() == 3, "member: tensor inputs: expected 3 numbers, got ", inputs.size(),
          "; the file is damaged");
  return {Encoder::load(file, kPrefix), {inputs[0], inputs[1], inputs[2] != 0, file.get<uint8_t>("known")}};
}

}  // namespace fewshop
