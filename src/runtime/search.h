#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "runtime/cell_index.h"
#include "runtime/code_dots.h"
#include "runtime/code_rows.h"
#include "runtime/item_mix.h"
#include "runtime/item_set.h"

namespace fewshop {

/// Search for the items with the largest score  bias_i + query . v_i, exactly unless an index is installed.
///
/// Every vector has a copy in 8 bits with a scale of its own. The scan reads only the copy: it gives every score up to
/// a known error. What can still be among the n best when the scan ends, given what the others have at least, is
/// ranked by the scores themselves. So the answer is that of the exact scan, for about a quarter of its memory traffic
/// (docs/runtime.md). Where the n best are few of many, a sample of the rows tells beforehand about where their scores
/// begin; a guess that turns out too high costs a second scan.
///
/// Scores are computed in double and rounded once to float; equal scores are ranked by the smaller index. Scores beyond
/// the range of float are cut to it; what is not a number counts as the least score.
///
/// Beyond some 100,000 items an index (cell_index.h) may be built and installed: the scan then reads the cells that
/// promise most, and misses a known share of the best. It is built from a copy, while the search goes on:
///
///   begin_index()  ...  copy = codes()  ...  CellIndex::build(copy, ...)  ...  install(index)
///
/// What changes between begin_index() and install(), and from then on, is scored exactly beside the index, so that it
/// is found at once; where that has become too much, needs_index() says that a new one should be built. Searches that
/// leave out more than half of the items, and those without an index, read everything.
///
/// The vectors and the bias stay where they are and must outlive the search (or the next assign / extend). Any number
/// of threads may search at once, each with its own Buffers; nobody may search during assign, extend, update,
/// begin_index and install.
class ItemSearch {
 public:
  struct Hit {
    int32_t item;
    float score;
    bool operator==(const Hit&) const = default;
  };

  /// What one query needs while it runs. Allocates only when a size exceeds all earlier ones. One thread each.
  class Buffers {
   public:
    Buffers() = default;

   private:
    friend class ItemSearch;
    /// How many items are held before those that cannot be among the best are left out.
    size_t room() const { return 3 * wanted_ + 64; }
    /// An item that may be among the best, and what its score is at least and at most; both are the score itself once
    /// that was computed.
    struct Possible {
      int32_t item;
      float low, high;
    };
    std::vector<double> query_;  // [d]
    std::vector<int8_t> codes_;  // [quads * 4] the query in 8 bits:  query ~ scale_ * codes_
    int32_t start_ = 0;          // CodeDots::start_of
    const ItemMix* mix_ = nullptr;
    const ItemMix* by_row_ = nullptr;  // the same, with cells and column in the order of the rows that are read
    ItemMix of_index_;                 // what by_row_ points to where an index is read
    std::array<float, ItemMix::kCells> plus_{};  // the mix's, and what float arithmetic may lose of it
    float scale_ = 0;
    float slack_ = 0;  // a row's score is  bias + row_scale * (estimate +- slack_)
    size_t wanted_ = 0;
    float guess_ = 0;      // what the n-th best score is probably above
    float threshold_ = 0;  // the guess or, once that is more, what the n-th best score so far is at least
    std::vector<Possible> pool_;
    std::vector<float> sample_;  // best scores of some blocks, to guess from
    CellIndex::Scratch cells_;
  };

  /// One of several queries that come at one time; see top().
  struct Query {
    const float* vector;  // [d]
    int n;
    const ItemSet* excluded;
    Buffers* buffers;
    std::vector<Hit>* out;
    const ItemMix* mix = nullptr;  // ranks by this mix of the score
    LeftOut left_out = {};
  };
  static constexpr int kTogether = CodeDots::kQueries;  // that share one pass

  /// `codes` false: no 8-bit copy; the scan then reads the vectors themselves.
  /// `dots`: how codes are multiplied.
  explicit ItemSearch(bool codes = true, const CodeDots& dots = CodeDots::best()) : dots_(&dots), rows_(codes) {}

  /// Searches vectors [count, d], row i at vectors + i * stride; bias [count] or null.
  void assign(const float* vectors, int64_t stride, int64_t count, int d, const float* bias);
  /// The same items and further ones behind them, perhaps at another place; only the new ones are encoded.
  void extend(const float* vectors, int64_t stride, int64_t count, const float* bias);

  /// The vector or the bias of one item has changed where it stands.
  void update(int64_t item);

  int64_t size() const { return count_; }

  /// From now on what changes is remembered for the index that is being built.
  void begin_index();
  /// The codes as they are, to build an index from.
  const CodeRows& codes() const { return rows_; }
  /// Uses an index of the codes as they were after begin_index(); null: none any more.
  void install(std::shared_ptr<const CellIndex> index);
  const CellIndex* index() const { return index_.get(); }
  /// Whether so much has changed since the index was begun that a new one would pay.
  bool needs_index() const { return index_ && std::ssize(fresh_) > kMostFresh * static_cast<double>(count_); }

  /// The n best items (fewer where there are fewer), best first.
  ///   query [d]; excluded: items to leave out. Blocks of which none is left are not read.
  void top(const float* query, int n, const ItemSet& excluded, Buffers& buffers, std::vector<Hit>& out) const {
    const Query one{query, n, &excluded, &buffers, &out};
    find(one, uses_index(one));
  }
  /// The same for several queries, each with its own buffers. Those that read everything share their passes over the
  /// codes. Returns how many did.
  int top(std::span<const Query> queries) const;
  /// The same without the index.
  void exact_top(const float* query, int n, const ItemSet& excluded, Buffers& buffers, std::vector<Hit>& out,
                 const ItemMix* mix = nullptr) const {
    find({query, n, &excluded, &buffers, &out, mix}, false);
  }

  /// The score by which items are ranked where there is no mix.
  float score(const float* query, int32_t item) const;

 private:
  static constexpr int kRows = CodeRows::kRows;
  static constexpr unsigned kAllRows = (1U << kRows) - 1;
  static constexpr double kMostFresh = 0.005;  // share of the items that may be scored beside the index

  bool uses_index(const Query& query) const;
  double depth_of(const Query& query) const;
  void find(const Query& query, bool indexed) const;
  bool begin(const float* query, int n, const ItemMix* mix, Buffers& buffers) const;
  void finish(Buffers& buffers) const;
  static void put(const Buffers& buffers, std::vector<Hit>& out);
  bool guessed_right(const Buffers& buffers) const;
  void changed(int32_t item);
  template <class Bounds, class Lanes, class Least>
  void collect(const Bounds& bounds, int64_t block, unsigned out, Lanes most, const Least& least,
               Buffers& buffers) const;
  template <class Bounds, class Lanes>
  void collect_codes(const Bounds& bounds, int64_t block, unsigned out, const Lanes& dots, Buffers& buffers) const;
  template <class Bounds, class Lanes>
  void hold(const Bounds& bounds, int64_t block, unsigned possible, const Lanes& least, const Lanes& most,
            Buffers& buffers) const;
  template <class Blocks, class Out, class Use>
  void estimate(const CodeRows& rows, std::span<const Query* const> queries, const Blocks& blocks, const Out& out_of,
                const Use& use) const;
  template <class Use>
  void estimate_all(std::span<const Query* const> queries, int64_t from, int64_t step, const Use& use) const;
  void guess(std::span<const Query* const> queries) const;
  void collect_all(std::span<const Query* const> queries) const;
  void read_all(std::span<const Query* const> queries) const;
  void drop_impossible(size_t at_most, Buffers& buffers) const;
  void compute(Buffers& buffers) const;
  template <class Number>
  double exact(const Number* query, int64_t item) const;
  const float* row(int64_t item) const { return vectors_ + item * stride_; }
  float bias(int64_t item) const { return bias_ ? bias_[item] : 0.0F; }

  const float* vectors_ = nullptr;
  const float* bias_ = nullptr;
  int64_t stride_ = 0, count_ = 0;
  int d_ = 0;
  const CodeDots* dots_;
  CodeRows rows_;  // row i is item i

  std::shared_ptr<const CellIndex> index_;
  ItemSet stale_;               // items that changed since the index was begun
  std::vector<int32_t> fresh_;  // the same and those that came, each once
  bool building_ = false;
  ItemSet next_stale_;  // of the index that is being built
  std::vector<int32_t> next_fresh_;
};

}  // namespace fewshop
