#include "runtime/bias_member.h"

#include "runtime/member_support.h"

namespace fewshop {

struct BiasMember::State final : Workspace {
  std::span<const SupportRow> support;
  double user_bias = 0;
  double share = 0;  // of one unit of weighted residual in the user bias
};

BiasMember::BiasMember(Parts parts) : parts_(std::move(parts)) {
  require(std::isfinite(parts_.mean) && std::isfinite(parts_.user_shrink), parts_.name,
          ": mean or shrinkage is not a finite number; the file is damaged");
  require_finite(parts_.item_bias, parts_.name);
}

std::unique_ptr<Workspace> BiasMember::workspace() const { return std::make_unique<State>(); }

void BiasMember::adapt(const TaskView& task, Workspace& workspace) const {
  auto& state = static_cast<State&>(workspace);
  state.support = task.support;
  state.user_bias = state.share = 0;
  if (parts_.user_shrink < 0) return;
  double weight = 0, sum = 0;
  for (const auto& row : task.support) {
    weight += row.weight;
    sum += row.weight * (row.target - parts_.mean - item_bias(row.item));
  }
  if (!(weight > 0)) return;
  state.share = 1 / (parts_.user_shrink + weight);
  state.user_bias = sum * state.share;
}

void BiasMember::score(const Workspace& workspace, std::span<const int32_t> items, std::span<float> score,
                       std::span<float> variance) const {
  const auto& state = static_cast<const State&>(workspace);
  for (size_t i = 0; i < items.size(); ++i) score[i] = score_of(state.user_bias, items[i]);
  std::fill(variance.begin(), variance.end(), 0.0f);
}

void BiasMember::score_all(const Workspace& workspace, std::span<float> score) const {
  const auto& state = static_cast<const State&>(workspace);
  for (size_t i = 0; i < score.size(); ++i) score[i] = score_of(state.user_bias, static_cast<int32_t>(i));
}

double BiasMember::explain(const Workspace& workspace, int32_t item, std::span<double> contribution) const {
  const auto& state = static_cast<const State&>(workspace);
  for (size_t s = 0; s < state.support.size(); ++s) {
    const auto& row = state.support[s];
    contribution[s] = state.share * row.weight * (row.target - parts_.mean - item_bias(row.item));
  }
  return parts_.mean + item_bias(item);
}

void BiasMember::save(TensorFile& file) const {
  file.put_text("kind", "bias");
  file.put_text("name", parts_.name);
  put_one(file, "mean", parts_.mean);
  put_one(file, "user_shrink", parts_.user_shrink);
  file.put("item_bias", parts_.item_bias);
}

std::unique_ptr<Member> BiasMember::load(const TensorFile& file) {
  return std::make_unique<BiasMember>(Parts{file.text("name"), get_one<float>(file, "mean"),
                                            get_one<float>(file, "user_shrink"), file.get<float>("item_bias")});
}

}  // namespace fewshop
