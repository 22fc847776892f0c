#include "runtime/cell_index.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <numeric>

#include "core/usage.h"
#include "runtime/k_means.h"

namespace fewshop {
namespace {

constexpr int kIterations = 8;
constexpr int kSampleOfACell = 64;    // rows that a centre is fitted on
constexpr double kAlwaysRead = 0.01;  // of the rows: at most so many stand in the cell that every query reads
constexpr double kMargin = 0.3;       // of what recall may miss: kept in hand when the number of cells is chosen
constexpr float kOptimism[] = {0, 0.25F, 0.5F, 1};

/// What every row adds to its product with a query, in units of that product.
std::vector<float> biases(const CodeRows& rows, const ItemMix* mix) {
  constexpr float kLeastOwn = 1e-6F;  // where the product hardly counts, no bias is like it
  std::vector<float> bias(rows.rows());
  for (int64_t row = 0; row < rows.rows(); ++row) {
    const float own = rows.upper_bias()[row];
    if (std::isfinite(own)) bias[row] = own;
    if (!mix) continue;
    const uint8_t cell = mix->cells[row];
    if (mix->own[cell] > kLeastOwn)
      bias[row] += (mix->with[cell] * mix->column[row] + mix->plus[cell]) / mix->own[cell];
  }
  return bias;
}

/// The rows as points of k-means: [which, d + 1], vector and bias.
void decode(const CodeRows& rows, std::span<const float> bias, std::span<const int64_t> which,
            std::vector<float>& points) {
  const int d = rows.d();
  points.resize(which.size() * (d + 1));
  for (size_t i = 0; i < which.size(); ++i) {
    float* point = points.data() + i * (d + 1);
    rows.decode(which[i], point);
    point[d] = bias[which[i]];
  }
}

}  // namespace

namespace {

/// Brings the `most` cells of the highest scores to the front of scratch.order, best first, ties by number. Scores are
/// parted into steps of equal height first, so that a step holds few, which are then sorted: comparing all of them
/// would cost more than scoring them.
void order_best(int most, CellIndex::Scratch& scratch) {
  constexpr int kSteps = 1024;
  const auto& score = scratch.score;
  const auto cells = static_cast<int32_t>(score.size());
  float low = INFINITY, high = -INFINITY;
  for (const float x : score) {
    low = std::min(low, x);
    high = std::max(high, x);
  }
  const float steps = static_cast<float>(kSteps - 1) / (high - low);
  std::array<int32_t, kSteps + 1> end{};  // of each step in `order`, the highest scores first
  scratch.place.resize(cells);
  for (int32_t c = 0; c < cells; ++c) {
    const float above = (high - score[c]) * steps;
    const int32_t step = std::isnan(score[c]) ? kSteps - 1  // last
                         : above > 0          ? static_cast<int32_t>(std::min<float>(above, kSteps - 1))
                                              : 0;
    scratch.place[c] = step;
    ++end[step + 1];
  }
  for (int step = 0; step < kSteps; ++step) end[step + 1] += end[step];
  scratch.order.resize(cells);
  for (int32_t c = 0; c < cells; ++c) scratch.order[end[scratch.place[c]]++] = c;
  const auto value = [&](int32_t cell) { return std::isnan(score[cell]) ? -INFINITY : score[cell]; };
  const auto better = [&](int32_t a, int32_t b) {
    const float x = value(a), y = value(b);
    return x > y || (x == y && a < b);
  };
  const auto begin = scratch.order.begin();
  for (int32_t step = 0, first = 0; first < most; first = end[step++])
    if (end[step] - first > 1) std::sort(begin + first, begin + end[step], better);
}

}  // namespace

void CellIndex::rank(const float* query, int most, Scratch& scratch) const {
  const size_t cells = cells_;
  double square = 0;
  for (int j = 0; j < d_; ++j) square += static_cast<double>(query[j]) * query[j];
  const float reach = optimism_ * static_cast<float>(std::sqrt(square));
  scratch.score.resize(cells);
  const float* bias = centres_.data() + static_cast<int64_t>(d_) * cells_;
  for (size_t c = 0; c < cells; ++c) scratch.score[c] = bias[c] + reach * spread_[c];
  for (int j = 0; j < d_; ++j) {
    const float q = query[j];
    const float* centre = centres_.data() + static_cast<int64_t>(j) * cells_;
    for (size_t c = 0; c < cells; ++c) scratch.score[c] += q * centre[c];
  }
  order_best(most, scratch);
}

void CellIndex::read(const float* query, double n, Scratch& scratch) const {
  const int cells = n <= few_ ? cells_for_few_ : cells_read_;
  rank(query, cells, scratch);
  scratch.blocks.clear();
  scratch.blocks.emplace_back(first_block_[cells_], first_block_[cells_ + 1]);
  for (int i = 0; i < cells; ++i) {
    const int32_t cell = scratch.order[i];
    scratch.blocks.emplace_back(first_block_[cell], first_block_[cell + 1]);
  }
}

int64_t CellIndex::bytes() const {
  return rows_.bytes() + std::ssize(mix_cells_) +
         static_cast<int64_t>((centres_.size() + spread_.size() + item_of_.size() + mix_column_.size()) *
                              sizeof(float));
}

namespace {

/// Over some queries: how many of their best stand in the cell that is read as the r-th, and how many rows that has.
struct Counts {
  explicit Counts(int cells) : hits(cells + 1), rows(cells + 1) {}

  std::vector<double> hits, rows;  // [cells + 1] the last: in what is always read
  double queries = 0, wanted = 0;

  /// The smallest number of cells that holds the share of the best; all cells where none does.
  int cells_for(double share) const {
    double found = hits.back();
    const int cells = static_cast<int>(hits.size()) - 1;
    for (int read = 0; read < cells; ++read) {
      if (found >= share * wanted) return read;
      found += hits[read];
    }
    return cells;
  }
  double recall(int read) const {
    return wanted > 0 ? (hits.back() + std::accumulate(hits.begin(), hits.begin() + read, 0.0)) / wanted : 0;
  }
  double share_read(int read, double items) const {
    return (rows.back() + std::accumulate(rows.begin(), rows.begin() + read, 0.0)) / std::max(1.0, queries * items);
  }
};

}  // namespace

std::shared_ptr<const CellIndex> CellIndex::build(const CodeRows& rows, std::span<const float> queries,
                                                  const Exact& exact, const Options& options, Random random,
                                                  const std::function<bool()>& stopped, Report& report) {
  const double begin = thread_cpu_seconds();
  const int64_t items = rows.rows();
  const int d = rows.d(), point = d + 1;
  const int64_t all = std::ssize(queries) / d;
  report = {};
  report.items = items;
  auto index = std::make_shared<CellIndex>();
  CellIndex& own = *index;
  own.d_ = d;
  own.wanted_ = options.wanted;
  own.few_ = std::min(options.few, options.wanted);
  own.cells_ = static_cast<int>(std::min<int64_t>(items, 2 * std::lround(std::sqrt(static_cast<double>(items)))));
  report.cells = own.cells_;
  if (items == 0 || all < 3) return nullptr;

  // Cells.
  const std::vector<float> bias = biases(rows, options.mix);
  std::vector<int64_t> which(items);
  std::iota(which.begin(), which.end(), int64_t{0});
  std::vector<float> points, centres;
  {
    std::vector<int64_t> sample = which;
    random.shuffle(sample);
    sample.resize(std::min<int64_t>(items, int64_t{kSampleOfACell} * own.cells_));
    decode(rows, bias, sample, points);
    centres = k_means(points, point, own.cells_, kIterations, random.fork("centres"), stopped);
  }
  std::vector<int32_t> cell_of(items);
  own.spread_.assign(own.cells_, 0);
  own.size_.assign(own.cells_ + 1, 0);
  constexpr int64_t kTogether = 8192;
  std::vector<float> distance;
  for (int64_t from = 0; from < items; from += kTogether) {
    if (stopped()) return nullptr;
    const int64_t count = std::min(kTogether, items - from);
    decode(rows, bias, std::span(which).subspan(from, count), points);
    distance.resize(count);
    const auto nearest = std::span(cell_of).subspan(from, count);
    nearest_centres(points, centres, point, nearest, distance);
    for (int64_t i = 0; i < count; ++i) {
      ++own.size_[nearest[i]];
      own.spread_[nearest[i]] += distance[i];
    }
  }
  for (int c = 0; c < own.cells_; ++c)
    own.spread_[c] = std::sqrt(own.spread_[c] / static_cast<float>(std::max<int64_t>(1, own.size_[c])));
  own.centres_.resize(centres.size());
  for (int c = 0; c < own.cells_; ++c)
    for (int j = 0; j < point; ++j)
      own.centres_[static_cast<int64_t>(j) * own.cells_ + c] = centres[static_cast<int64_t>(c) * point + j];

  // The best of every query. A third of the queries names what is always read, a third chooses, a third measures.
  std::vector<std::vector<int32_t>> best(all);
  for (int64_t q = 0; q < all; ++q) {
    if (stopped()) return nullptr;
    exact(queries.subspan(q * d, d), best[q]);
    std::erase_if(best[q], [&](int32_t item) { return item >= items; });
  }
  std::vector<int32_t> found(items, 0), often;
  for (int64_t q = 0; q < all / 3; ++q)
    for (const int32_t item : best[q])
      if (++found[item] == 2) often.push_back(item);
  std::sort(often.begin(), often.end(),
            [&](int32_t a, int32_t b) { return found[a] != found[b] ? found[a] > found[b] : a < b; });
  often.resize(std::min(often.size(), static_cast<size_t>(kAlwaysRead * static_cast<double>(items))));
  for (const int32_t item : often) {
    --own.size_[cell_of[item]];
    cell_of[item] = own.cells_;
    ++own.size_[own.cells_];
  }

  Scratch scratch;
  std::vector<int32_t> place(own.cells_ + 1);
  place.back() = own.cells_;
  const auto count = [&](int64_t from, int64_t to, int wanted) {
    Counts counts(own.cells_);
    for (int64_t q = from; q < to; ++q) {
      own.rank(queries.data() + q * d, own.cells_, scratch);
      for (int r = 0; r < own.cells_; ++r) {
        place[scratch.order[r]] = r;
        counts.rows[r] += static_cast<double>(own.size_[scratch.order[r]]);
      }
      counts.rows.back() += static_cast<double>(own.size_.back());
      const auto sought = std::span(best[q]).first(std::min<size_t>(wanted, best[q].size()));
      for (const int32_t item : sought) ++counts.hits[place[cell_of[item]]];
      counts.wanted += static_cast<double>(sought.size());
      ++counts.queries;
    }
    return counts;
  };
  const double target = options.least_recall + kMargin * (1 - options.least_recall);
  double least = INFINITY;
  float optimism = 0;
  for (const float tried : kOptimism) {
    own.optimism_ = tried;
    const Counts counts = count(all / 3, 2 * all / 3, own.wanted_);
    const int cells = counts.cells_for(target);
    const double read = counts.share_read(cells, static_cast<double>(items));
    if (read >= least) continue;
    least = read;
    optimism = tried;
    own.cells_read_ = cells;
  }
  own.optimism_ = optimism;
  own.cells_for_few_ = std::min(own.cells_read_, count(all / 3, 2 * all / 3, own.few_).cells_for(target));
  const Counts measured = count(2 * all / 3, all, own.wanted_), few = count(2 * all / 3, all, own.few_);
  report.cells_read = own.cells_read_;
  report.queries = static_cast<int>(measured.queries);
  report.recall = measured.recall(own.cells_read_);
  report.read = measured.share_read(own.cells_read_, static_cast<double>(items));
  if (few.recall(own.cells_for_few_) < options.least_recall) own.few_ = 0;
  if (own.few_ > 0)
    report.few = {own.few_, own.cells_for_few_, few.share_read(own.cells_for_few_, static_cast<double>(items)),
                  few.recall(own.cells_for_few_)};
  report.used = report.recall >= options.least_recall && report.read <= options.most_read;
  if (report.used) own.arrange(rows, cell_of, options.mix);
  report.cpu_seconds = thread_cpu_seconds() - begin;
  return report.used ? index : nullptr;
}

void CellIndex::arrange(const CodeRows& rows, std::span<const int32_t> cell_of, const ItemMix* mix) {
  constexpr int64_t kRows = CodeRows::kRows;
  first_block_.assign(cells_ + 2, 0);
  for (int c = 0; c <= cells_; ++c) first_block_[c + 1] = first_block_[c] + (size_[c] + kRows - 1) / kRows;
  rows_.clear(d_);
  rows_.resize(first_block_.back() * kRows);
  item_of_.assign(rows_.rows(), -1);
  if (mix) {
    mix_cells_.assign(rows_.rows(), 0);
    mix_column_.assign(rows_.rows(), 0.0F);
  }
  std::vector<int64_t> next(cells_ + 1);
  for (int c = 0; c <= cells_; ++c) next[c] = first_block_[c] * kRows;
  for (int64_t item = 0; item < std::ssize(cell_of); ++item) {
    const int64_t row = next[cell_of[item]]++;
    rows_.put(row, rows, item);
    item_of_[row] = static_cast<int32_t>(item);
    if (!mix) continue;
    mix_cells_[row] = mix->cells[item];
    mix_column_[row] = mix->column[item];
  }
}

}  // namespace fewshop
