#pragma once

#include <array>
#include <cstdint>

namespace fewshop {

/// What a search ranks by instead of its own score, where that is only a part of what counts:
///
///   own[c_i] score_i + with[c_i] column_i + plus[c_i],   c_i the cell of item i
///
/// So the search for the best of a stack knows what the stack gives to the learner's score in every cell, and what a
/// member adds that depends on the item alone (popularity).
struct ItemMix {
  static constexpr int kCells = 8;
  const uint8_t* cells = nullptr;  // [items, filled up to a multiple of 8] below kCells
  const float* column = nullptr;   // [the same]
  float largest = 0;               // magnitude in the column
  // [cells] finite; own is not negative
  std::array<float, kCells> own{}, with{}, plus{};

  double of(int64_t item, double score) const {
    const uint8_t cell = cells[item];
    return own[cell] * score + (static_cast<double>(with[cell]) * column[item] + plus[cell]);
  }
};

}  // namespace fewshop
