#pragma once

#include <memory>
#include <string>
#include <vector>

#include "runtime/member.h"
#include "runtime/sparse_rows.h"

namespace fewshop {

/// Ranks by weights between items: item-kNN and EASE once fitted.
///
///   score(j) = prior[j] + sum over support rows s of factor[s] weights[item of s][j]
///   factor[s] = evidence of s * n^(repeat_power - 1),   n = support rows of the same item
///
/// repeat_power 0: an item counts once however often it was bought; 1: every time anew. The prior is a popularity share
/// too small to do more than order items that the weights say nothing about. Items without entries are never found by
/// the weights; an item that came after training scores 0.
class ItemItemMember final : public Member {
 public:
  struct Parts {
    std::string name;  // "item-knn" or "ease"
    float repeat_power = 0;
    std::vector<float> prior;  // [items]
    SparseRows weights;        // [items, items], row = support item, column = scored item
    float kept = 1;            // share of the sum of all squared weights of the fit that is in `weights`
  };
  /// Throws InvalidInput where sizes disagree, an index is outside or out of order, or a value is not finite.
  explicit ItemItemMember(Parts parts);

  std::string_view name() const override { return parts_.name; }
  std::unique_ptr<Workspace> workspace() const override;
  void adapt(const TaskView& task, Workspace& workspace) const override;
  void score(const Workspace& workspace, std::span<const int32_t> items, std::span<float> score,
             std::span<float> variance) const override;
  void score_all(const Workspace& workspace, std::span<float> score) const override;
  double explain(const Workspace& workspace, int32_t item, std::span<double> contribution) const override;
  void candidates(const Workspace& workspace, int n, const ItemSet& excluded,
                  std::vector<int32_t>& items) const override;
  /// {kept_squared_weight: share}; null where all weights were kept.
  nlohmann::json facts() const override;
  void save(TensorFile& file) const override;
  static std::unique_ptr<Member> load(const TensorFile& file);

  const SparseRows& weights() const { return parts_.weights; }

 private:
  struct State;
  bool knows(int32_t item) const { return item >= 0 && static_cast<size_t>(item) < parts_.prior.size(); }
  float score_of(const State& state, int32_t item) const;
  float score_directly(const State& state, int32_t item) const;
  void sum(const State& state) const;
  void fetch(int32_t item) const;

  Parts parts_;
};

}  // namespace fewshop
