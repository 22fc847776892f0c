#pragma once

#include <memory>
#include <vector>

#include "runtime/member.h"
#include "runtime/sparse_rows.h"

namespace fewshop {

/// Item-kNN for ratings: the bias part plus the shrunken mean of the support's residuals, weighted by similarity.
///
///   b(j)     = mean + item_bias[j] + user_bias                            (as BiasMember)
///   score(j) = b(j) + sum_s w_s sim[s][j] (target_s - b(s)) / (shrink + sum_s w_s sim[s][j])
///
/// over the support rows s for which the similarity is kept. Everything is linear in the targets, so the explanation is
/// exact: the user bias and the weighted mean are written as one coefficient per support row.
class RatingKnnMember final : public Member {
 public:
  struct Parts {
    float mean = 0, user_shrink = 0, shrink = 0;
    std::vector<float> item_bias;  // [items]
    SparseRows similarity;         // [items, items], row = support item, column = scored item; values > 0
  };
  /// Throws InvalidInput where sizes disagree, an index is outside, or a value is not finite or negative.
  explicit RatingKnnMember(Parts parts);

  std::string_view name() const override { return "item-knn"; }
  std::unique_ptr<Workspace> workspace() const override;
  void adapt(const TaskView& task, Workspace& workspace) const override;
  void score(const Workspace& workspace, std::span<const int32_t> items, std::span<float> score,
             std::span<float> variance) const override;
  void score_all(const Workspace& workspace, std::span<float> score) const override;
  double explain(const Workspace& workspace, int32_t item, std::span<double> contribution) const override;
  void save(TensorFile& file) const override;
  static std::unique_ptr<Member> load(const TensorFile& file);

 private:
  struct State;
  bool knows(int32_t item) const { return item >= 0 && static_cast<size_t>(item) < parts_.item_bias.size(); }
  double item_bias(int32_t item) const { return knows(item) ? parts_.item_bias[item] : 0.0; }
  float score_of(const State& state, int32_t item) const;

  Parts parts_;
};

}  // namespace fewshop
