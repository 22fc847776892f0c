#include "runtime/popularity_member.h"

#include <algorithm>
#include <numeric>

#include "runtime/member_support.h"

namespace fewshop {

PopularityMember::PopularityMember(std::vector<float> log_share, float unseen)
    : log_share_(std::move(log_share)), unseen_(unseen), best_first_(log_share_.size()) {
  require_finite(log_share_, "popularity");
  require_finite({&unseen_, 1}, "popularity");
  std::iota(best_first_.begin(), best_first_.end(), 0);
  std::stable_sort(best_first_.begin(), best_first_.end(),
                   [&](int32_t a, int32_t b) { return log_share_[a] > log_share_[b]; });
}

std::unique_ptr<Workspace> PopularityMember::workspace() const { return std::make_unique<Workspace>(); }

void PopularityMember::adapt(const TaskView&, Workspace&) const {}

void PopularityMember::score(const Workspace&, std::span<const int32_t> items, std::span<float> score,
                             std::span<float> variance) const {
  for (size_t i = 0; i < items.size(); ++i) score[i] = score_of(items[i]);
  std::fill(variance.begin(), variance.end(), 0.0f);
}

void PopularityMember::score_all(const Workspace&, std::span<float> score) const {
  for (size_t i = 0; i < score.size(); ++i) score[i] = score_of(static_cast<int32_t>(i));
}

double PopularityMember::explain(const Workspace&, int32_t item, std::span<double> contribution) const {
  std::fill(contribution.begin(), contribution.end(), 0.0);
  return score_of(item);
}

void PopularityMember::candidates(const Workspace&, int n, const ItemSet& excluded, std::vector<int32_t>& items) const {
  append_first(best_first_, n, excluded, items);
}

void PopularityMember::save(TensorFile& file) const {
  file.put_text("kind", "popularity");
  file.put("log_share", log_share_);
  put_one(file, "unseen", unseen_);
}

std::unique_ptr<Member> PopularityMember::load(const TensorFile& file) {
  return std::make_unique<PopularityMember>(file.get<float>("log_share"), get_one<float>(file, "unseen"));
}

}  // namespace fewshop
