#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "runtime/item_set.h"

namespace fewshop {

/// Exact search for the items with the largest score  bias_i + query . v_i.
///
/// Every vector has a copy in 8 bits with a scale of its own. The scan reads only the copy: it gives every score up to
/// a known error. What can still be among the n best when the scan ends, given what the others have at least, is
/// ranked by the scores themselves. So the answer is that of the exact scan, for about a quarter of its memory traffic
/// (docs/runtime.md).
///
/// Scores are computed in double and rounded once to float; equal scores are ranked by the smaller index. Scores beyond
/// the range of float are cut to it; what is not a number counts as the least score.
///
/// The vectors and the bias stay where they are and must outlive the search (or the next assign / extend). Any number
/// of threads may search at once, each with its own Buffers; nobody may search during assign, extend and update.
class ItemSearch {
 public:
  struct Hit {
    int32_t item;
    float score;
    bool operator==(const Hit&) const = default;
  };

  /// What one query needs while it runs. Allocates only when a size exceeds all earlier ones. One thread each.
  class Buffers {
    friend class ItemSearch;
    /// An item that may be among the best, and what its score is at least and at most; both are the score itself once
    /// that was computed.
    struct Possible {
      int32_t item;
      float low, high;
    };
    std::vector<double> query_;   // [d]
    std::vector<int16_t> codes_;  // [d, padded to an even number] the query in 16 bits
    std::vector<Possible> pool_;
  };

  /// `codes` false: no 8-bit copy; the scan then reads the vectors themselves.
  explicit ItemSearch(bool codes = true) : with_codes_(codes) {}

  /// Searches vectors [count, d], row i at vectors + i * stride; bias [count] or null.
  void assign(const float* vectors, int64_t stride, int64_t count, int d, const float* bias);
  /// The same items and further ones behind them, perhaps at another place; only the new ones are encoded.
  void extend(const float* vectors, int64_t stride, int64_t count, const float* bias);

  /// The vector or the bias of one item has changed where it stands.
  void update(int64_t item);

  int64_t size() const { return count_; }

  /// The n best items (fewer where there are fewer), best first.
  ///   query [d]; excluded: items to leave out. Blocks of which none is left are not read.
  void top(const float* query, int n, const ItemSet& excluded, Buffers& buffers, std::vector<Hit>& out) const;

  /// The score by which items are ranked.
  float score(const float* query, int32_t item) const;

 private:
  // Rows are scanned in blocks of 8. In a block, codes lie as [pairs of dimensions][8 rows][2]: one vector instruction
  // multiplies two dimensions of eight rows.
  static constexpr int kRows = 8;
  static constexpr unsigned kAllRows = (1U << kRows) - 1;
  struct Free {
    void operator()(void* p) const;
  };

  void encode(int64_t from);
  void encode_row(int64_t item);
  template <class Estimate>
  void scan(Estimate&& estimate, float slack, const double* query, size_t n, const ItemSet& excluded,
            std::vector<Buffers::Possible>& pool) const;
  float drop_impossible(const double* query, size_t n, size_t at_most, std::vector<Buffers::Possible>& pool) const;
  void compute(const double* query, std::vector<Buffers::Possible>& pool) const;
  template <class Number>
  float exact(const Number* query, int64_t item) const;
  const float* row(int64_t item) const { return vectors_ + item * stride_; }

  bool with_codes_;
  const float* vectors_ = nullptr;
  const float* bias_ = nullptr;
  int64_t stride_ = 0, count_ = 0;
  int d_ = 0, pairs_ = 0;
  std::unique_ptr<int8_t[], Free> codes_;  // [blocks, pairs, 8, 2]
  int64_t capacity_ = 0;                   // blocks that codes_ has room for
  std::vector<float> scale_;               // [blocks * 8] largest magnitude of the row / 127
  std::vector<float> upper_bias_;          // [blocks * 8] bias with its rounding error
};

}  // namespace fewshop
