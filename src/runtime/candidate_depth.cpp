#include "runtime/candidate_depth.h"

#include <algorithm>

#include "core/error.h"

namespace fewshop {
namespace {

constexpr double kLeastRecall = 0.998;
constexpr int64_t kLeastLists = 100;

}  // namespace

void DepthCounts::add(const Model& model, ModelSession& session, const ItemSet& excluded, int best) {
  const auto items = std::ssize(model.item_ids());
  score_.resize(items);
  model.score_all(session, Model::kAdapted, score_);
  order_.clear();
  excluded.each_absent(items, [&](int32_t item) { order_.push_back(item); });
  const auto wanted = std::min<int64_t>(best, std::ssize(order_));
  std::partial_sort(order_.begin(), order_.begin() + wanted, order_.end(),
                    [&](int32_t a, int32_t b) { return score_[a] > score_[b] || (score_[a] == score_[b] && a < b); });
  wanted_ += wanted;
  if (!model.seeks_candidates(excluded)) return;  // everything is found
  ++sought_;
  sought_wanted_ += wanted;
  for (size_t d = 0; d < kDepths.size(); ++d) {
    model.candidates(session, best, kDepths[d], excluded, candidates_);
    found_.clear();
    for (const int32_t item : candidates_) found_.set(item, true);
    contained_[d] +=
        std::count_if(order_.begin(), order_.begin() + wanted, [&](int32_t i) { return found_.contains(i); });
  }
}

void DepthCounts::add(const DepthCounts& other) {
  wanted_ += other.wanted_;
  sought_ += other.sought_;
  sought_wanted_ += other.sought_wanted_;
  for (size_t d = 0; d < kDepths.size(); ++d) contained_[d] += other.contained_[d];
}

int DepthCounts::choose() const {
  if (sought_ < kLeastLists) return Model::kDefaultDepth;
  for (size_t d = 0; d < kDepths.size(); ++d)
    if (static_cast<double>(contained_[d]) >= kLeastRecall * static_cast<double>(sought_wanted_)) return kDepths[d];
  return kDepths.back();
}

double DepthCounts::recall(int depth) const {
  const auto found = std::find(kDepths.begin(), kDepths.end(), depth);
  require(found != kDepths.end(), "candidate depth: ", depth, " was not counted");
  if (wanted_ == 0) return 1;
  const int64_t missed = sought_wanted_ - contained_[found - kDepths.begin()];
  return static_cast<double>(wanted_ - missed) / static_cast<double>(wanted_);
}

}  // namespace fewshop
