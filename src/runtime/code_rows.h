#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace fewshop {

/// Vectors in 8 bits, each with a scale of its own, in the order in which a scan reads them:
///
///   v_j = scale[row] * (code_j + e),  |e| <= 1/2
///
/// Rows stand in blocks of 8. In a block, codes lie as [d / 4][8 rows][4]: one vector instruction multiplies four
/// dimensions of eight rows (code_dots.h). Stored is code + 128. The last block is filled up with rows of zeros.
class CodeRows {
 public:
  static constexpr int kRows = 8;       // of a block
  static constexpr int kCodeMax = 127;  // largest magnitude of a code
  static constexpr int kZero = 128;     // how a code of 0 is stored

  /// `codes` false: no codes, scales and biases only.
  explicit CodeRows(bool codes = true) : with_codes_(codes) {}

  CodeRows copy() const;

  /// No rows of d dimensions.
  void clear(int d);
  /// Room for rows 0 .. rows - 1; those that are new are zeros. What is there stays.
  void resize(int64_t rows);
  /// Row `row` is this vector [d] with this bias.
  void put(int64_t row, const float* vector, float bias);
  /// Row `row` is as row `from` of other rows of the same d.
  void put(int64_t row, const CodeRows& other, int64_t from);

  int d() const { return d_; }
  /// Groups of four dimensions; the last one is filled up with zeros.
  int quads() const { return quads_; }
  int64_t rows() const { return rows_; }
  int64_t blocks() const { return (rows_ + kRows - 1) / kRows; }
  bool with_codes() const { return with_codes_; }

  const uint8_t* block(int64_t block) const { return codes_.get() + block * block_bytes(); }
  /// [blocks * 8] the largest magnitude of the row / 127; 1 where a number of the row is not finite.
  const float* scale() const { return scale_.data(); }
  /// [blocks * 8] the bias and its rounding error; infinity where float cannot bound the row's score.
  const float* upper_bias() const { return upper_bias_.data(); }
  /// What the codes say of a row, into out [d]; a row that is not finite gives zeros.
  void decode(int64_t row, float* out) const;

  int64_t bytes() const { return capacity_ * block_bytes() + rows_ * static_cast<int64_t>(2 * sizeof(float)); }

 private:
  struct Free {
    void operator()(void* p) const;
  };
  int64_t block_bytes() const { return static_cast<int64_t>(quads_) * 4 * kRows; }
  uint8_t* codes_of(int64_t row) { return codes_.get() + row / kRows * block_bytes() + row % kRows * 4; }
  const uint8_t* codes_of(int64_t row) const { return codes_.get() + row / kRows * block_bytes() + row % kRows * 4; }
  static int64_t place(int dimension) { return dimension / 4 * 4 * kRows + dimension % 4; }

  bool with_codes_;
  int d_ = 0, quads_ = 0;
  int64_t rows_ = 0;
  std::unique_ptr<uint8_t[], Free> codes_;  // [blocks, quads, 8, 4] each + kZero
  int64_t capacity_ = 0;                    // blocks that codes_ has room for
  std::vector<float> scale_, upper_bias_;
};

}  // namespace fewshop
