#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "runtime/encoder.h"

namespace fewshop {

/// What an encoder reads of a row, in the order of its fields: the row's own columns (of an item, or of a row and its
/// item), the columns of the task's description, the identity of the item where training has seen it.
///
///   own part [P] + description part [P] -> Encoder::finish -> features [D]
class EncodedInputs {
 public:
  struct Parts {
    int32_t own = 0, description = 0;  // number of columns of each; own = 0: a row's columns are not read
    bool identity = false;             // the last field: one entry, the item
    std::vector<uint8_t> known;        // [items] seen in training; empty without an identity
  };
  /// Throws InvalidInput where the encoder's fields are not so many.
  EncodedInputs(std::unique_ptr<Encoder> encoder, Parts parts);

  const Encoder& encoder() const { return *encoder_; }
  bool reads_description() const { return p_.description > 0; }

  /// The part [P] of a row: its columns (none = nothing known) and its item (-1 or beyond = one that training has not
  /// seen).
  void own_part(std::span<const ColumnView> columns, int32_t item, Encoder::Scratch& scratch,
                std::span<float> part) const;
  /// The part [P] of a task: its description; empty = nothing known.
  void description_part(std::span<const ColumnView> description, Encoder::Scratch& scratch,
                        std::span<float> part) const;
  /// Features [D] of the sum of both; `sum` [P] is scratch.
  void finish(std::span<const float> own, std::span<const float> description, std::span<float> sum,
              Encoder::Scratch& scratch, std::span<float> features) const;

  void save(TensorFile& file) const;
  static EncodedInputs load(const TensorFile& file);

 private:
  std::unique_ptr<Encoder> encoder_;
  Parts p_;
};

}  // namespace fewshop
