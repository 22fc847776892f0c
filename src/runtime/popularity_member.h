#pragma once

#include <memory>
#include <vector>

#include "runtime/member.h"

namespace fewshop {

/// Popularity: the score of an item is the logarithm of its smoothed share of the training rows, whatever the support.
///
///   score(item) = log((count + smoothing) / (total + smoothing * items))
///
/// A log share has the same meaning in every catalogue and can be mixed with other scores. Items that came after
/// training have count 0.
class PopularityMember final : public Member {
 public:
  /// `log_share` [items]; `unseen` is the score of any other item. Throws InvalidInput where a value is not finite.
  PopularityMember(std::vector<float> log_share, float unseen);

  std::string_view name() const override { return "popularity"; }
  std::unique_ptr<Workspace> workspace() const override;
  void adapt(const TaskView& task, Workspace& workspace) const override;
  void score(const Workspace& workspace, std::span<const int32_t> items, std::span<float> score,
             std::span<float> variance) const override;
  void score_all(const Workspace& workspace, std::span<float> score) const override;
  std::optional<float> fixed_score(int32_t item) const override { return score_of(item); }
  double explain(const Workspace& workspace, int32_t item, std::span<double> contribution) const override;
  /// The most popular items that are not excluded, whatever the support.
  void candidates(const Workspace& workspace, int n, const ItemSet& excluded,
                  std::vector<int32_t>& items) const override;
  void save(TensorFile& file) const override;
  static std::unique_ptr<Member> load(const TensorFile& file);

 private:
  float score_of(int32_t item) const {
    return item >= 0 && static_cast<size_t>(item) < log_share_.size() ? log_share_[item] : unseen_;
  }

  std::vector<float> log_share_;
  float unseen_;
  std::vector<int32_t> best_first_;  // [items]
};

}  // namespace fewshop
