#include "runtime/search.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <functional>
#include <limits>

#include "runtime/lanes.h"

namespace fewshop {
namespace {

constexpr float kMost = std::numeric_limits<float>::max();
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr int kCodeMax = CodeRows::kCodeMax;

/// Better first; equal scores by the smaller index.
struct Better {
  template <class Computed>
  bool operator()(const Computed& a, const Computed& b) const {
    return a.high != b.high ? a.high > b.high : a.item < b.item;
  }
};

/// Whether float arithmetic can carry the bounds; where not, every score is computed.
float usable(double x) { return x == 0 || (x > 1e-30 && x < 1e30) ? static_cast<float>(x) : kInfinity; }

using lanes::FloatLanes;

/// As scores are told: in the range of float, and what is not a number as the least.
float rounded(double score) {
  return std::isnan(score) ? -kMost : static_cast<float>(std::clamp<double>(score, -kMost, kMost));
}

}  // namespace

void ItemSearch::assign(const float* vectors, int64_t stride, int64_t count, int d, const float* bias) {
  assert(d > 0 && count <= std::numeric_limits<int32_t>::max());
  d_ = d;
  count_ = 0;
  rows_.clear(d);
  index_.reset();
  building_ = false;
  stale_.clear();
  fresh_.clear();
  extend(vectors, stride, count, bias);
}

void ItemSearch::extend(const float* vectors, int64_t stride, int64_t count, const float* bias) {
  assert(count >= count_ && count <= std::numeric_limits<int32_t>::max());
  vectors_ = vectors;
  stride_ = stride;
  bias_ = bias;
  const int64_t from = count_;
  count_ = count;
  rows_.resize(count);
  for (int64_t i = from; i < count_; ++i) {
    rows_.put(i, row(i), this->bias(i));
    changed(static_cast<int32_t>(i));
  }
}

void ItemSearch::update(int64_t item) {
  assert(item >= 0 && item < count_);
  rows_.put(item, row(item), bias(item));
  changed(static_cast<int32_t>(item));
}

/// What the index, and the one that is being built, say of the item is not so any more.
void ItemSearch::changed(int32_t item) {
  const auto note = [item](ItemSet& stale, std::vector<int32_t>& fresh) {
    if (stale.contains(item)) return;
    stale.set(item, true);
    fresh.push_back(item);
  };
  if (index_) note(stale_, fresh_);
  if (building_) note(next_stale_, next_fresh_);
}

void ItemSearch::begin_index() {
  building_ = true;
  next_stale_.clear();
  next_fresh_.clear();
}

void ItemSearch::install(std::shared_ptr<const CellIndex> index) {
  assert(!index || building_);
  index_ = std::move(index);
  building_ = false;
  stale_ = std::move(next_stale_);
  fresh_ = std::move(next_fresh_);
  next_stale_.clear();
  next_fresh_.clear();
}

/// Whether the index answers as well as was measured. Beside it so much may have changed that scoring that takes as
/// long as reading everything.
bool ItemSearch::uses_index(int n, const ItemSet& excluded) const {
  return index_ && n <= 2 * index_->wanted() &&
         std::ssize(fresh_) <= 4 * kMostFresh * static_cast<double>(count_) + 100 &&
         excluded.count(count_) <= count_ / 2;
}

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

constexpr float kMixRounding = 5e-7F;  // what float arithmetic may lose of a mix, in parts of its terms' magnitudes

/// The mix of eight rows of which the score is at most `most` and the sum of its terms' magnitudes `terms`, rounded up.
inline FloatLanes most_of_mix(const ItemMix& mix, int64_t block, FloatLanes most, FloatLanes terms) {
  const uint8_t* cells = mix.cells + block * CodeRows::kRows;
  const FloatLanes own = lanes::lookup(mix.own, cells), plus = lanes::lookup(mix.plus, cells);
  const FloatLanes with = lanes::lookup(mix.with, cells) * lanes::load(mix.column + block * CodeRows::kRows);
  return own * most + (with + plus) +
         lanes::all(kMixRounding) * (own * terms + (lanes::magnitude(with) + lanes::magnitude(plus)));
}

}  // namespace

/// What may be among the n best of a block whose scores without bias are `middle`, up to the slack times the rows'
/// scales: only what may be above the threshold enters. `out`: rows that do not count, as bits. (Where rows come in
/// the order of their items, what is equal to the threshold is ranked lower.)
template <class Bounds, class Lanes>
inline __attribute__((always_inline)) void ItemSearch::collect(const Bounds& bounds, int64_t block, unsigned out,
                                                               const Lanes& middle, Buffers& buffers) const {
  const Lanes error = lanes::all(buffers.slack_) * lanes::load(bounds.rows.scale() + block * kRows);
  const Lanes bias = lanes::load(bounds.rows.upper_bias() + block * kRows);
  Lanes most = middle + (error + bias);
  if (buffers.mix_)
    most = most_of_mix(*buffers.mix_, block, most, lanes::magnitude(middle) + (error + lanes::magnitude(bias)));
  const unsigned possible = lanes::above(most, buffers.threshold_) & ~out;
  if (possible) [[unlikely]]
    hold(bounds, block, possible, middle - error, most, buffers);
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
        one.low = static_cast<float>(mix->of(item, one.low) - kMixRounding * terms);
      }
      if (!std::isfinite(one.low)) one.low = -kInfinity;
    }
    buffers.pool_.push_back(one);
    if (buffers.pool_.size() >= room) drop_impossible(buffers.wanted_ + (room - buffers.wanted_) / 2, buffers);
  }
}

/// Goes through blocks of rows and collects what may be among the n best. `middle(block)` gives the scores of its
/// rows without their bias; `bounds` says which blocks and what stands in them.
template <class Bounds, class Middle>
void ItemSearch::scan(const Bounds& bounds, Buffers& buffers, Middle&& middle) const {
  bounds.each_block([&](int64_t block) {
    const unsigned out = bounds.out(block);
    if (out != kAllRows) collect(bounds, block, out, middle(block), buffers);
  });
}

namespace {

/// All rows, in the order of their items.
struct Everything {
  const CodeRows& rows;
  int64_t count;
  const ItemSet& excluded;

  template <class Use>
  void each_block(Use&& use) const {
    for (int64_t block = 0; block < rows.blocks(); ++block) use(block);
  }
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
  std::span<const std::pair<int64_t, int64_t>> blocks;
  const ItemSet &excluded, &stale;

  template <class Use>
  void each_block(Use&& use) const {
    for (const auto& [first, end] : blocks)
      for (int64_t block = first; block < end; ++block) use(block);
  }
  unsigned out(int64_t) const { return 0; }
  int64_t item(int64_t row) const {
    const int32_t item = items[row];
    return item < 0 || excluded.contains(item) || stale.contains(item) ? -1 : item;
  }
};

}  // namespace

/// Puts the query in the form in which the scan reads it; false where there is nothing to find.
bool ItemSearch::begin(const float* query, int n, const ItemMix* mix, Buffers& buffers) const {
  buffers.pool_.clear();
  buffers.mix_ = mix;
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
  // |v_j| <= 127.5 row_scale, so |query . v| <= 127.5 sum row_scale: what float arithmetic may lose of it.
  const double rounding = 127.5 * sum * (d_ + 16) * 0x1p-23;
  if (!rows_.with_codes()) {
    buffers.slack_ = usable(rounding);
    return true;
  }
  // Codes of the query in 16 bits, smaller where the sum over d could leave 32 bits.
  const int pairs = rows_.pairs();
  const double most = std::min(32767.0, std::floor(2147483647.0 / (kCodeMax * 2.0 * pairs)));
  const float scale = buffers.scale_ = usable(largest / most);
  double lost = 0;
  buffers.codes_.assign(static_cast<size_t>(pairs) * 2, 0);
  if (scale > 0 && scale < kInfinity) {
    for (int j = 0; j < d_; ++j) {
      const double code = std::clamp(std::nearbyint(buffers.query_[j] / scale), -most, most);
      buffers.codes_[j] = static_cast<int16_t>(code);
      lost += std::abs(buffers.query_[j] - scale * code);
    }
  }
  // query . v = row_scale (scale codes . row_codes + lost . row_codes) + query . (v - row_scale row_codes)
  buffers.slack_ = usable(1.0001 * (0.5 * sum + kCodeMax * lost) + rounding);
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
  if (!indexed && rows_.with_codes()) {
    const Query* const only = &query;
    read_all<1>({&only, 1});
    return;
  }
  if (indexed) {
    index_->read(query.vector, buffers.cells_);
    const Cells cells{index_->rows(), index_->items(), buffers.cells_.blocks, excluded, stale_};
    const int16_t* codes = buffers.codes_.data();
    scan(cells, buffers, [&](int64_t block) {
      FloatLanes dots;
      lanes::code_dots<1, 1>(&codes, cells.rows.block(block), rows_.pairs(), &dots);
      return dots * lanes::all(buffers.scale_) * lanes::load(cells.rows.scale() + block * kRows);
    });
    for (const int32_t item : fresh_)
      if (!excluded.contains(item)) buffers.pool_.push_back({item, -kInfinity, kInfinity});
  } else {
    scan(Everything{rows_, count_, excluded}, buffers, [&](int64_t block) {
      const int64_t first = block * kRows;
      if (first + kRows > count_) return lanes::all(kInfinity);  // the last few: all possible
      return lanes::float_dots(query.vector, row(first), stride_, d_);
    });
  }
  finish(buffers);
  put(buffers, *query.out);
}

/// Every `step`-th group of B blocks of codes for Q queries at once: use(q, block, rows that do not count, scores
/// without bias) for each block of it.
template <int Q, int B, class Use>
void ItemSearch::estimate(std::span<const Query* const> queries, int64_t from, int64_t step, const Use& use) const {
  const int16_t* codes[Q];
  for (int q = 0; q < Q; ++q) codes[q] = queries[q]->buffers->codes_.data();
  int64_t block = from;
  const auto group = [&]<int N>() {
    unsigned out[N * Q], nobody = kAllRows;
    for (int i = 0; i < N * Q; ++i)
      nobody &= out[i] = Everything{rows_, count_, *queries[i % Q]->excluded}.out(block + i / Q);
    if (nobody == kAllRows) return;
    FloatLanes dots[N * Q];
    lanes::code_dots<Q, N>(codes, rows_.block(block), rows_.pairs(), dots);
    for (int i = 0; i < N * Q; ++i) {
      const FloatLanes scale = lanes::load(rows_.scale() + (block + i / Q) * kRows);
      use(i % Q, block + i / Q, out[i], dots[i] * lanes::all(queries[i % Q]->buffers->scale_) * scale);
    }
  };
  for (; block + B <= rows_.blocks(); block += B * step) group.template operator()<B>();
  if (step == 1)
    for (; block < rows_.blocks(); ++block) group.template operator()<1>();
}

/// Where the scores of the best begin, from the best of every so many-th block: at the score above which twice as many
/// as wanted should be (or more, where the best lie side by side). No guess where the sample would have to be large.
template <int Q>
void ItemSearch::guess(std::span<const Query* const> queries) const {
  constexpr size_t kRank = 16;  // in the sample: so the guess is too high for about one query in a hundred
  constexpr int64_t kLeastStep = 16;
  size_t fewest = queries[0]->buffers->wanted_;
  for (const Query* query : queries) fewest = std::min(fewest, query->buffers->wanted_);
  const auto step = static_cast<int64_t>(2 * fewest / kRank);
  if (step < kLeastStep) return;
  for (const Query* query : queries) query->buffers->sample_.clear();
  estimate<Q, 1>(queries, step / 2, step, [&](int q, int64_t block, unsigned out, const FloatLanes& middle) {
    FloatLanes score = middle + lanes::load(rows_.upper_bias() + block * kRows);
    if (const ItemMix* mix = queries[q]->mix) score = most_of_mix(*mix, block, score, FloatLanes{});
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

template <int Q>
void ItemSearch::collect_all(std::span<const Query* const> queries) const {
  constexpr int kBlocks = Q <= 2 ? 2 : 1;  // side by side, as far as there are registers for their sums
  estimate<Q, kBlocks>(queries, 0, 1, [&](int q, int64_t block, unsigned out, const FloatLanes& middle) {
    collect(Everything{rows_, count_, *queries[q]->excluded}, block, out, middle, *queries[q]->buffers);
  });
}

/// The answers of Q queries that have begun, from all codes, read once for all of them.
template <int Q>
void ItemSearch::read_all(std::span<const Query* const> queries) const {
  guess<Q>(queries);
  collect_all<Q>(queries);
  for (const Query* query : queries) {
    finish(*query->buffers);
    if (!guessed_right(*query->buffers)) {
      begin(query->vector, query->n, query->mix, *query->buffers);
      collect_all<1>({&query, 1});
      finish(*query->buffers);
    }
    put(*query->buffers, *query->out);
  }
}

int ItemSearch::top(std::span<const Query> queries) const {
  std::vector<const Query*> reading;
  for (const Query& query : queries) {
    const bool index = !query.mix && uses_index(query.n, *query.excluded);
    if (!index && rows_.with_codes()) {
      query.out->clear();
      if (begin(query.vector, query.n, query.mix, *query.buffers)) reading.push_back(&query);
    } else {
      find(query, index);
    }
  }
  int shared = 0;
  for (size_t i = 0; i < reading.size(); i += kTogether) {
    const auto group =
        std::span<const Query* const>(reading).subspan(i, std::min<size_t>(kTogether, reading.size() - i));
    if (group.size() == 1) read_all<1>(group);
    if (group.size() == 2) read_all<2>(group);
    if (group.size() == 3) read_all<3>(group);
    if (group.size() == 4) read_all<4>(group);
    if (group.size() > 1) shared += static_cast<int>(group.size());
  }
  return shared;
}

}  // namespace fewshop
