#include "runtime/search.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>

#include "runtime/code_dots.h"
#include "runtime/lanes.h"

namespace fewshop {
namespace {

constexpr float kMost = std::numeric_limits<float>::max();
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr int kCodeMax = CodeRows::kCodeMax;
constexpr float kRounding = 1e-6F;  // what float arithmetic may lose of a bound, in parts of its terms' magnitudes

/// Better first; equal scores by the smaller index.
struct Better {
  template <class Computed>
  bool operator()(const Computed& a, const Computed& b) const {
    return a.high != b.high ? a.high > b.high : a.item < b.item;
  }
};

// Up to here no bound leaves the range of float: 1e15 of a query, 1e15 of a row's scale and 1e30 of its bias
// (CodeRows::upper_bias), 1e4 of what a mix gives to their score and 1e36 of what it adds. Beyond, a bound is infinite
// or no number, and the score is computed.
constexpr double kMostSlack = 1e15;
constexpr float kMostOwn = 1e4F, kMostTerms = 1e36F;

/// Infinity where float arithmetic cannot carry the bounds.
float usable(double x, double most) { return x == 0 || (x > 1e-30 && x < most) ? static_cast<float>(x) : kInfinity; }

using lanes::FloatLanes;

/// As scores are told: in the range of float, and what is not a number as the least.
float rounded(double score) {
  return std::isnan(score) ? -kMost : static_cast<float>(std::clamp<double>(score, -kMost, kMost));
}

}  // namespace

template <class Number>
double ItemSearch::exact(const Number* query, int64_t item) const {
  // Four sums in a fixed order: the compiler may make vectors of them, and every caller gets the same bits.
  const float* v = row(item);
  double s0 = 0, s1 = 0, s2 = 0, s3 = 0;
  int j = 0;
  for (; j + 4 <= d_; j += 4) {
    s0 += double{query[j]} * v[j];
    s1 += double{query[j + 1]} * v[j + 1];
    s2 += double{query[j + 2]} * v[j + 2];
    s3 += double{query[j + 3]} * v[j + 3];
  }
  for (; j < d_; ++j) s0 += double{query[j]} * v[j];
  return (bias_ ? bias_[item] : 0.0) + ((s0 + s1) + (s2 + s3));
}

float ItemSearch::score(const float* query, int32_t item) const { return rounded(exact(query, item)); }

/// Replaces the bounds of all possible items by their scores.
void ItemSearch::compute(Buffers& buffers) const {
  constexpr size_t kAhead = 4;  // rows lie far apart: fetched before they are needed
  auto& pool = buffers.pool_;
  for (size_t i = 0; i < pool.size(); ++i) {
    if (i + kAhead < pool.size()) {
      const float* next = row(pool[i + kAhead].item);
      for (int j = 0; j < d_; j += 16) __builtin_prefetch(next + j);
    }
    auto& [item, low, high] = pool[i];
    if (low == high) continue;
    const double score = exact(buffers.query_.data(), item);
    low = high = rounded(buffers.mix_ ? buffers.mix_->of(item, score) : score);
  }
}

/// Leaves out what cannot be among the n best, and brings the threshold up to date; where bounds leave more than
/// `at_most`, it is the n best scores that are left. The pool has at least n items.
void ItemSearch::drop_impossible(size_t at_most, Buffers& buffers) const {
  auto& pool = buffers.pool_;
  const auto last = pool.begin() + static_cast<int64_t>(buffers.wanted_) - 1;
  std::nth_element(pool.begin(), last, pool.end(), [](const auto& a, const auto& b) { return a.low > b.low; });
  buffers.threshold_ = std::max(buffers.guess_, last->low);
  std::erase_if(pool, [&](const auto& possible) { return possible.high < buffers.threshold_; });
  if (pool.size() <= at_most) return;
  compute(buffers);
  std::nth_element(pool.begin(), last, pool.end(), Better{});
  pool.resize(buffers.wanted_);
  buffers.threshold_ = std::max(buffers.guess_, last->high);
}

namespace {

/// The most that rows of a block have in the mix, of what they have without it at most.
inline FloatLanes most_of_mix(const ItemMix& mix, const std::array<float, ItemMix::kCells>& plus, int64_t block,
                              FloatLanes most) {
  const uint8_t* cells = mix.cells + block * CodeRows::kRows;
  const FloatLanes column = lanes::load(mix.column + block * CodeRows::kRows);
  return lanes::lookup(mix.own, cells) * most + (lanes::lookup(mix.with, cells) * column + lanes::lookup(plus, cells));
}

}  // namespace

/// What may be among the n best of a block whose scores without bias are `most` at most and least() at least: only what
/// may be above the threshold enters. `out`: rows that do not count, as bits. (Where rows come in the order of their
/// items, what is equal to the threshold is ranked lower.)
template <class Bounds, class Lanes, class Least>
inline __attribute__((always_inline)) void ItemSearch::collect(const Bounds& bounds, int64_t block, unsigned out,
                                                               Lanes most, const Least& least, Buffers& buffers) const {
  most += lanes::load(bounds.rows.upper_bias() + block * kRows);
  if (buffers.by_row_) most = most_of_mix(*buffers.by_row_, buffers.plus_, block, most);
  const unsigned possible = lanes::above(most, buffers.threshold_) & ~out;
  if (possible) [[unlikely]]
    hold(bounds, block, possible, least(), most, buffers);
}

/// The same of a block of codes, from its dots in units of the rows' scales.
template <class Bounds, class Lanes>
inline __attribute__((always_inline)) void ItemSearch::collect_codes(const Bounds& bounds, int64_t block, unsigned out,
                                                                     const Lanes& dots, Buffers& buffers) const {
  const Lanes scale = lanes::load(bounds.rows.scale() + block * kRows), slack = lanes::all(buffers.slack_);
  collect(
      bounds, block, out, scale * (dots + slack), [&] { return scale * (dots - slack); }, buffers);
}

/// Takes the `possible` rows of a block into the pool, with their bounds; `least` is without bias.
template <class Bounds, class Lanes>
__attribute__((noinline)) void ItemSearch::hold(const Bounds& bounds, int64_t block, unsigned possible,
                                                const Lanes& least, const Lanes& most, Buffers& buffers) const {
  const size_t room = buffers.room();
  for (unsigned bits = possible; bits; bits &= bits - 1) {
    const int lane = __builtin_ctz(bits);
    const int64_t item = bounds.item(block * kRows + lane);
    if (item < 0) continue;
    Buffers::Possible one{static_cast<int32_t>(item), -kInfinity, kInfinity};
    if (std::isfinite(most[lane])) {
      const float bias = this->bias(item);
      one.high = most[lane];
      one.low = least[lane] + (bias - 1e-6f * std::abs(bias) - 1e-36f);
      if (const ItemMix* mix = buffers.mix_) {
        const uint8_t cell = mix->cells[item];
        const double with = static_cast<double>(mix->with[cell]) * mix->column[item];
        const double terms = mix->own[cell] * (static_cast<double>(std::abs(least[lane])) + std::abs(bias)) +
                             std::abs(with) + std::abs(mix->plus[cell]);
        one.low = static_cast<float>(mix->of(item, one.low) - kRounding * terms);
      }
      if (!std::isfinite(one.low)) one.low = -kInfinity;
    }
    buffers.pool_.push_back(one);
    if (buffers.pool_.size() >= room) drop_impossible(buffers.wanted_ + (room - buffers.wanted_) / 2, buffers);
  }
}

namespace {

/// All rows, in the order of their items.
struct Everything {
  const CodeRows& rows;
  int64_t count;
  const ItemSet& excluded;

  unsigned out(int64_t block) const {
    static_assert(64 % CodeRows::kRows == 0);
    const int64_t first = block * CodeRows::kRows;
    return static_cast<unsigned>(excluded.word(first / 64) >> (first % 64)) & ((1U << CodeRows::kRows) - 1);
  }
  int64_t item(int64_t row) const { return row < count ? row : -1; }
};

/// The cells of an index that a query reads, less what has changed since.
struct Cells {
  const CodeRows& rows;
  std::span<const int32_t> items;
  const ItemSet &excluded, &stale;

  int64_t item(int64_t row) const {
    const int32_t item = items[row];
    return item < 0 || excluded.contains(item) || stale.contains(item) ? -1 : item;
  }
};

}  // namespace

/// Puts the query in the form in which the scan reads it; false where there is nothing to find.
bool ItemSearch::begin(const float* query, int n, const ItemMix* mix, Buffers& buffers) const {
  buffers.pool_.clear();
  buffers.mix_ = buffers.by_row_ = mix;
  if (n <= 0 || count_ == 0) return false;
  buffers.wanted_ = static_cast<size_t>(std::min<int64_t>(n, count_));
  buffers.guess_ = buffers.threshold_ = -kInfinity;
  buffers.query_.assign(query, query + d_);
  buffers.pool_.reserve(buffers.room());

  double sum = 0, largest = 0;
  for (int j = 0; j < d_; ++j) {
    sum += std::abs(buffers.query_[j]);
    largest = std::max(largest, std::abs(buffers.query_[j]));
  }
  // |v_j| <= 127.5 row_scale, so |query . v| <= 127.5 sum row_scale: what float arithmetic may lose of it. (Of biases,
  // CodeRows::upper_bias has it.)
  const double rounding = 127.5 * sum * ((d_ + 16) * 0x1p-23 + kRounding);
  if (mix) {
    for (int cell = 0; cell < ItemMix::kCells; ++cell) {
      const float terms = std::abs(mix->plus[cell]) + std::abs(mix->with[cell]) * mix->largest;
      const bool bounded = mix->own[cell] <= kMostOwn && terms <= kMostTerms;
      buffers.plus_[cell] = bounded ? mix->plus[cell] + kRounding * terms : kInfinity;
    }
  }
  if (!rows_.with_codes()) {
    buffers.slack_ = usable(rounding, kMostSlack);
    return true;
  }
  // Smaller codes where the sums over d could leave 32 bits.
  const double most = std::min<double>(dots_->largest, std::floor(2147483647.0 / (383.0 * 4 * rows_.quads())));
  const float scale = buffers.scale_ = usable(largest / most, 1e30);
  double lost = 0;
  buffers.codes_.assign(static_cast<size_t>(rows_.quads()) * 4, 0);
  if (scale > 0 && scale < kInfinity && std::isfinite(sum)) {
    for (int j = 0; j < d_; ++j) {
      const double code = std::clamp(std::nearbyint(buffers.query_[j] / scale), -most, most);
      buffers.codes_[j] = static_cast<int8_t>(code);
      lost += std::abs(buffers.query_[j] - scale * code);
    }
  }
  buffers.start_ = CodeDots::start_of(buffers.codes_.data(), static_cast<int>(buffers.codes_.size()));
  // query . v = row_scale (scale codes . row_codes + lost . row_codes) + query . (v - row_scale row_codes)
  buffers.slack_ = usable(1.0001 * (0.5 * sum + kCodeMax * lost) + rounding, kMostSlack);
  return true;
}

/// The best of what was collected, by their scores: the first of the pool, in order.
void ItemSearch::finish(Buffers& buffers) const {
  auto& pool = buffers.pool_;
  if (pool.size() > buffers.wanted_) drop_impossible(pool.size(), buffers);
  compute(buffers);
  if (pool.size() > buffers.wanted_) {
    std::nth_element(pool.begin(), pool.begin() + static_cast<int64_t>(buffers.wanted_), pool.end(), Better{});
    pool.resize(buffers.wanted_);
  }
  std::sort(pool.begin(), pool.end(), Better{});
}

void ItemSearch::put(const Buffers& buffers, std::vector<Hit>& out) {
  for (const auto& best : buffers.pool_) out.push_back({best.item, best.high});
}

/// Whether the n best of a finished search are above what it did not look at.
bool ItemSearch::guessed_right(const Buffers& buffers) const {
  if (buffers.guess_ == -kInfinity) return true;
  return buffers.pool_.size() == buffers.wanted_ && buffers.pool_.back().high > buffers.guess_;
}

void ItemSearch::find(const Query& query, bool indexed) const {
  const ItemSet& excluded = *query.excluded;
  Buffers& buffers = *query.buffers;
  query.out->clear();
  if (!begin(query.vector, query.n, query.mix, buffers)) return;
  const Query* const only = &query;
  if (!indexed && rows_.with_codes()) {
    read_all({&only, 1});
    return;
  }
  if (indexed) {
    index_->read(query.vector, depth_of(query), buffers.cells_);
    const Cells cells{index_->rows(), index_->items(), excluded, stale_};
    if (query.mix) {
      buffers.of_index_ = *query.mix;
      buffers.of_index_.cells = index_->mix_cells();
      buffers.of_index_.column = index_->mix_column();
      buffers.by_row_ = &buffers.of_index_;
    }
    const auto blocks = [&](const auto& visit) {
      for (const auto& [first, end] : buffers.cells_.blocks)
        for (int64_t block = first; block < end; ++block) visit(block);
    };
    estimate(
        cells.rows, {&only, 1}, blocks, [](int, int64_t) { return 0U; },
        [&](int, int64_t block, unsigned out, const FloatLanes& dots) {
          collect_codes(cells, block, out, dots, buffers);
        });
    for (const int32_t item : fresh_)
      if (!excluded.contains(item)) buffers.pool_.push_back({item, -kInfinity, kInfinity});
  } else {
    const Everything all{rows_, count_, excluded};
    for (int64_t block = 0; block < rows_.blocks(); ++block) {
      const unsigned out = all.out(block);
      if (out == kAllRows) continue;
      const int64_t first = block * kRows;
      const bool whole = first + kRows <= count_;  // the last few: all possible
      const FloatLanes middle =
          whole ? lanes::float_dots(query.vector, row(first), stride_, d_) : lanes::all(kInfinity);
      const FloatLanes error = lanes::all(buffers.slack_) * lanes::load(rows_.scale() + first);
      collect(
          all, block, out, middle + error, [&] { return middle - error; }, buffers);
    }
  }
  finish(buffers);
  put(buffers, *query.out);
}

/// The dots of some blocks of codes with up to four queries, in units of the rows' scales: use(q, block, rows that do
/// not count, dots).
///   blocks(visit) calls visit(block) for each; out_of(q, block): its rows that do not count. Where none of a block
///   counts for anybody, it is not read.
template <class Blocks, class Out, class Use>
void ItemSearch::estimate(const CodeRows& rows, std::span<const Query* const> queries, const Blocks& blocks,
                          const Out& out_of, const Use& use) const {
  constexpr int kChunk = 32;  // blocks; their dots stay in the nearest cache
  const auto asked = static_cast<int>(queries.size());
  const auto dots_of = dots_->function[asked - 1];
  const int8_t* codes[CodeDots::kQueries];
  int32_t start[CodeDots::kQueries];
  for (int q = 0; q < asked; ++q) {
    codes[q] = queries[q]->buffers->codes_.data();
    start[q] = queries[q]->buffers->start_;
  }
  const uint8_t* at[kChunk];
  int64_t number[kChunk];
  unsigned out[kChunk][CodeDots::kQueries];
  alignas(32) float dots[kChunk * CodeDots::kQueries * kRows];
  int count = 0;
  const auto finish_chunk = [&] {
    dots_of(codes, start, at, count, rows.quads(), dots);
    for (int q = 0; q < asked; ++q) {
      const FloatLanes scale = lanes::all(queries[q]->buffers->scale_);
      for (int i = 0; i < count; ++i) {
        use(q, number[i], out[i][q], lanes::load(dots + (i * asked + q) * kRows) * scale);
      }
    }
    count = 0;
  };
  blocks([&](int64_t block) {
    unsigned nobody = kAllRows;
    for (int q = 0; q < asked; ++q) nobody &= out[count][q] = out_of(q, block);
    if (nobody == kAllRows) return;
    at[count] = rows.block(block);
    number[count] = block;
    if (++count == kChunk) finish_chunk();
  });
  if (count > 0) finish_chunk();
}

/// The same of every `step`-th block of all rows.
template <class Use>
void ItemSearch::estimate_all(std::span<const Query* const> queries, int64_t from, int64_t step, const Use& use) const {
  estimate(
      rows_, queries,
      [&](const auto& visit) {
        for (int64_t block = from; block < rows_.blocks(); block += step) visit(block);
      },
      [&](int q, int64_t block) {
        return Everything{rows_, count_, *queries[q]->excluded}.out(block);
      },
      use);
}

/// Where the scores of the best begin, from the best of every so many-th block: at the score above which twice as many
/// as wanted should be (or more, where the best lie side by side). No guess where the sample would have to be large.
void ItemSearch::guess(std::span<const Query* const> queries) const {
  constexpr size_t kRank = 16;  // in the sample: so the guess is too high for about one query in a hundred
  constexpr int64_t kLeastStep = 16;
  size_t fewest = queries[0]->buffers->wanted_;
  for (const Query* query : queries) fewest = std::min(fewest, query->buffers->wanted_);
  const auto step = static_cast<int64_t>(2 * fewest / kRank);
  if (step < kLeastStep) return;
  for (const Query* query : queries) query->buffers->sample_.clear();
  estimate_all(queries, step / 2, step, [&](int q, int64_t block, unsigned out, const FloatLanes& dots) {
    FloatLanes score =
        dots * lanes::load(rows_.scale() + block * kRows) + lanes::load(rows_.upper_bias() + block * kRows);
    if (const ItemMix* mix = queries[q]->mix) score = most_of_mix(*mix, mix->plus, block, score);
    float best = -kInfinity;
    for (int lane = 0; lane < kRows; ++lane)
      if (!(out >> lane & 1) && score[lane] > best) best = score[lane];
    queries[q]->buffers->sample_.push_back(best);
  });
  for (const Query* query : queries) {
    Buffers& buffers = *query->buffers;
    const size_t rank = 2 * buffers.wanted_ / static_cast<size_t>(step);
    if (buffers.sample_.size() < 2 * rank) continue;
    const auto at = buffers.sample_.begin() + static_cast<int64_t>(rank) - 1;
    std::nth_element(buffers.sample_.begin(), at, buffers.sample_.end(), std::greater<>());
    if (std::isfinite(*at)) buffers.guess_ = buffers.threshold_ = *at;
  }
}

void ItemSearch::collect_all(std::span<const Query* const> queries) const {
  estimate_all(queries, 0, 1, [&](int q, int64_t block, unsigned out, const FloatLanes& dots) {
    collect_codes(Everything{rows_, count_, *queries[q]->excluded}, block, out, dots, *queries[q]->buffers);
  });
}

/// The answers of up to four queries that have begun, from all codes, read once for all of them.
void ItemSearch::read_all(std::span<const Query* const> queries) const {
  guess(queries);
  collect_all(queries);
  for (const Query* query : queries) {
    finish(*query->buffers);
    if (!guessed_right(*query->buffers)) {
      begin(query->vector, query->n, query->mix, *query->buffers);
      collect_all({&query, 1});
      finish(*query->buffers);
    }
    put(*query->buffers, *query->out);
  }
}

int ItemSearch::top(std::span<const Query> queries) const {
  std::array<const Query*, kTogether> reading;
  size_t count = 0;
  int shared = 0;
  const auto read = [&] {
    if (count > 0) read_all(std::span(reading).first(count));
    if (count > 1) shared += static_cast<int>(count);
    count = 0;
  };
  for (const Query& query : queries) {
    const bool index = uses_index(query);
    if (index || !rows_.with_codes()) {
      find(query, index);
      continue;
    }
    query.out->clear();
    if (begin(query.vector, query.n, query.mix, *query.buffers)) reading[count++] = &query;
    if (count == reading.size()) read();
  }
  read();
  return shared;
}

}  // namespace fewshop
