#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "core/random.h"
#include "runtime/code_rows.h"
#include "runtime/item_mix.h"

namespace fewshop {

/// An index for the search of the largest  bias_i + query . v_i  (or of a mix with that, item_mix.h) among very many
/// items: rows that lie near each other stand together in a cell (k-means over (v, bias); what a mix adds, in parts of
/// what it gives to the score, counts as bias), and a query reads the cells whose centre scores highest, the items that
/// queries find most often always. So it finds most of the best items, not all; how many is measured when
/// it is built, with queries of the shop's own users, on queries that nothing was chosen by.
///
/// Immutable once built. What changes afterwards is the searcher's business (ItemSearch::install).
class CellIndex {
 public:
  struct Options {
    int wanted = 500;            // what is searched for: the best so many
    int few = 0;                 // most searches are for no more than so many, and read fewer cells; 0 = none are
    double least_recall = 0.99;  // share of them that has to be found
    double most_read = 0.25;     // of the rows; an index that has to read more is no use
    /// Where queries rank by a mix: that of a typical one, with cells and column of all rows. What `exact` says of a
    /// query is by its own mix.
    const ItemMix* mix = nullptr;
  };

  /// What became of a build, for the operator.
  struct Report {
    int64_t items = 0;
    int cells = 0, cells_read = 0;
    double read = 0;    // share of the rows that a query reads
    double recall = 0;  // of the best `wanted`, over queries that nothing was chosen by
    int queries = 0;    // that is measured over
    /// The same of searches for the best `few`.
    struct Few {
      int wanted = 0, cells_read = 0;
      double read = 0, recall = 0;
    };
    Few few;
    bool used = false;  // false: the exact scan stays in use
    double cpu_seconds = 0;
  };

  /// The best items of a query exactly, best first; what the index is measured by.
  using Exact = std::function<void(std::span<const float> query, std::vector<int32_t>& best)>;

  /// Builds the index of all rows (row i is item i).
  ///   queries [Q, d] of tasks as they come: half choose, half measure
  ///   stopped: looked at now and then; true ends the build with nothing
  static std::shared_ptr<const CellIndex> build(const CodeRows& rows, std::span<const float> queries,
                                                const Exact& exact, const Options& options, Random random,
                                                const std::function<bool()>& stopped, Report& report);

  /// What a query needs while it asks which cells to read. Keeps its memory from call to call.
  struct Scratch {
    std::vector<float> score;    // [cells]
    std::vector<int32_t> order;  // [cells]
    std::vector<int32_t> place;  // [cells] of `order`, while it is made
    std::vector<std::pair<int64_t, int64_t>> blocks;
  };
  /// The blocks of rows() that a query [d] reads for the best n of all items, as [first, end), in scratch.blocks; those
  /// that promise most come first.
  void read(const float* query, double n, Scratch& scratch) const;

  /// Rows in order of their cells, and the item of each [blocks * 8]; -1 = none.
  const CodeRows& rows() const { return rows_; }
  std::span<const int32_t> items() const { return item_of_; }
  /// Whether it was built for queries that rank by a mix, and what a mix needs of the rows, in their order.
  bool mixed() const { return !mix_cells_.empty(); }
  const uint8_t* mix_cells() const { return mix_cells_.data(); }
  const float* mix_column() const { return mix_column_.data(); }
  /// How many of the best it was measured for.
  int wanted() const { return wanted_; }
  int64_t bytes() const;

 private:
  /// Brings the `most` cells that promise most to the front of scratch.order, best first.
  void rank(const float* query, int most, Scratch& scratch) const;
  void arrange(const CodeRows& rows, std::span<const int32_t> cell_of, const ItemMix* mix);

  int d_ = 0, cells_ = 0;
  int wanted_ = 0, cells_read_ = 0;
  int few_ = 0, cells_for_few_ = 0;
  float optimism_ = 0;                // times |query| spread: how far above its centre a cell is thought to reach
  std::vector<float> centres_;        // [d + 1, cells] of vectors and bias: one dimension after the other
  std::vector<float> spread_;         // [cells] root of the mean squared distance to the centre
  std::vector<int64_t> size_;         // [cells + 1] rows; the last cell is that of the rows that are always read
  std::vector<int64_t> first_block_;  // [cells + 2]
  std::vector<int32_t> item_of_;      // [blocks * 8]
  CodeRows rows_;
  std::vector<uint8_t> mix_cells_;  // [blocks * 8]
  std::vector<float> mix_column_;   // [the same]
};

}  // namespace fewshop
