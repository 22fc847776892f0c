#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace fewshop {

/// Vectors in 8 bits, each with a scale of its own, in the order in which a scan reads them:
///
///   v_j = scale[row] * (code_j + e),  |e| <= 1/2
///
/// Rows stand in blocks of 8. In a block, codes lie as [pairs of dimensions][8 rows][2]: one vector instruction
/// multiplies two dimensions of eight rows. The last block is filled up with rows of zeros.
class CodeRows {
 public:
  static constexpr int kRows = 8;       // of a block
  static constexpr int kCodeMax = 127;  // largest magnitude of a code

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
  int pairs() const { return pairs_; }
  int64_t rows() const { return rows_; }
  int64_t blocks() const { return (rows_ + kRows - 1) / kRows; }
  bool with_codes() const { return with_codes_; }

  const int8_t* block(int64_t block) const { return codes_.get() + block * block_bytes(); }
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
  int64_t block_bytes() const { return static_cast<int64_t>(pairs_) * 2 * kRows; }

  bool with_codes_;
  int d_ = 0, pairs_ = 0;
  int64_t rows_ = 0;
  std::unique_ptr<int8_t[], Free> codes_;  // [blocks, pairs, 8, 2]
  int64_t capacity_ = 0;                   // blocks that codes_ has room for
  std::vector<float> scale_, upper_bias_;
};

}  // namespace fewshop
