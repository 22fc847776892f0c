#pragma once

#include <memory>
#include <string>
#include <vector>

#include "runtime/member.h"

namespace fewshop {

/// Global mean, item mean and user + item bias, in one form:
///
///   score(item) = mean + item_bias[item] + user_bias
///   user_bias   = sum over support of w (target - mean - item_bias[row]) / (user_shrink + sum of w)
///
/// Without a user term (user_shrink < 0) user_bias is 0. Items beyond item_bias have bias 0.
class BiasMember final : public Member {
 public:
  struct Parts {
    std::string name;  // "global-mean", "item-mean" or "bias"
    float mean = 0;
    float user_shrink = -1;        // < 0: no user term
    std::vector<float> item_bias;  // [items], may be empty
  };
  /// Throws InvalidInput where a value is not finite.
  explicit BiasMember(Parts parts);

  std::string_view name() const override { return parts_.name; }
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
  double item_bias(int32_t item) const {
    return item >= 0 && static_cast<size_t>(item) < parts_.item_bias.size() ? parts_.item_bias[item] : 0.0;
  }
  float score_of(double user_bias, int32_t item) const {
    return static_cast<float>(parts_.mean + item_bias(item) + user_bias);
  }

  Parts parts_;
};

}  // namespace fewshop
