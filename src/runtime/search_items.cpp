// What a search looks through: vectors, what of them changes, the index.
#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

#include "runtime/search.h"

namespace fewshop {

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
bool ItemSearch::uses_index(const Query& query) const {
  return index_ && index_->mixed() == (query.mix != nullptr) && query.n <= 2 * index_->wanted() &&
         std::ssize(fresh_) <= 4 * kMostFresh * static_cast<double>(count_) + 100 &&
         query.excluded->count(count_) <= count_ / 2;
}

/// The best so many of all items hold the best n of those that are not left out, as far as that is known.
double ItemSearch::depth_of(const Query& query) const {
  if (query.left_out.filtered) return INFINITY;
  const auto all = static_cast<double>(count_), left_out = static_cast<double>(query.excluded->count(count_));
  const double spread = std::max(0.0, left_out - query.left_out.named);  // anywhere among all
  return (query.n + query.left_out.named) / std::max(1 - spread / all, 1 / all);
}

}  // namespace fewshop
