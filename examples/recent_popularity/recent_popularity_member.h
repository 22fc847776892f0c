#pragma once

#include <memory>
#include <vector>

#include "runtime/member.h"

namespace fewshop {

/// Popularity of late, and what the task bought before: training rows count the less the older they are, and an item
/// of the support is likely to come again.
///
///   score(item) = log_share(item) + repeat * sum over support rows s of that item: 0.5^(age_s / half_life)
///
/// The first term is the prior; every support row of the item is one term of the explanation.
class RecentPopularityMember final : public Member {
 public:
  struct Parts {
    std::vector<float> log_share;  // [items] log of the item's share of the decayed training rows
    float unseen = 0;              // log_share of any other item
    float repeat = 0;              // what one fresh support row of the item adds
    float half_life = 0;           // seconds
  };
  /// Throws InvalidInput where a value is not finite or the half-life is not positive.
  explicit RecentPopularityMember(Parts parts);

  std::string_view name() const override { return "recent-popularity"; }
  std::unique_ptr<Workspace> workspace() const override;
  void adapt(const TaskView& task, Workspace& workspace) const override;
  void score(const Workspace& workspace, std::span<const int32_t> items, std::span<float> score,
             std::span<float> variance) const override;
  void score_all(const Workspace& workspace, std::span<float> score) const override;
  double explain(const Workspace& workspace, int32_t item, std::span<double> contribution) const override;
  void save(TensorFile& file) const override;
  static std::unique_ptr<Member> load(const TensorFile& file);

 private:
  float prior(int32_t item) const;
  double term(const SupportRow& row) const;

  Parts parts_;
};

}  // namespace fewshop
