#include "runtime/rating_knn_member.h"

#include <algorithm>

#include "runtime/member_support.h"

namespace fewshop {

struct RatingKnnMember::State final : Workspace {
  explicit State(size_t items) : weighted(items, 0.0), weight(items, 0.0) {}

  std::span<const SupportRow> support;
  std::vector<double> residual;  // [support rows] target - mean - item_bias
  double user_bias = 0, share = 0;
  std::vector<double> weighted;  // [items] sum of w sim residual, and
  std::vector<double> weight;    // [items] sum of w sim; 0 but for touched items
  std::vector<int32_t> touched;
};

RatingKnnMember::RatingKnnMember(Parts parts) : parts_(std::move(parts)) {
  const auto items = static_cast<int64_t>(parts_.item_bias.size());
  require(parts_.similarity.rows() == items && parts_.similarity.value.size() == parts_.similarity.column.size(),
          "item-knn: ", parts_.similarity.rows(), " rows of similarities for ", items, " items; the file is damaged");
  require_sparse_rows(parts_.similarity.offsets, parts_.similarity.column, items, "item-knn");
  require_finite(parts_.similarity.value, "item-knn");
  for (float value : parts_.similarity.value)
    require(value > 0, "item-knn: a similarity is not positive; the file is damaged");
  require_finite(parts_.item_bias, "item-knn");
  require(std::isfinite(parts_.mean) && parts_.user_shrink >= 0 && parts_.shrink >= 0 &&
              std::isfinite(parts_.user_shrink) && std::isfinite(parts_.shrink),
          "item-knn: mean or shrinkage is not a usable number; the file is damaged");
}

std::unique_ptr<Workspace> RatingKnnMember::workspace() const {
  return std::make_unique<State>(parts_.item_bias.size());
}

void RatingKnnMember::adapt(const TaskView& task, Workspace& workspace) const {
  auto& state = static_cast<State&>(workspace);
  for (int32_t item : state.touched) state.weighted[item] = state.weight[item] = 0;
  state.touched.clear();
  state.support = task.support;
  state.residual.resize(task.support.size());
  double weight = 0, sum = 0;
  for (size_t s = 0; s < task.support.size(); ++s) {
    const auto& row = task.support[s];
    state.residual[s] = row.target - parts_.mean - item_bias(row.item);
    weight += row.weight;
    sum += row.weight * state.residual[s];
  }
  state.share = weight > 0 ? 1 / (parts_.user_shrink + weight) : 0;
  state.user_bias = sum * state.share;

  for (size_t s = 0; s < task.support.size(); ++s) {
    const auto& row = task.support[s];
    if (!knows(row.item) || !(row.weight > 0)) continue;
    const double residual = state.residual[s] - state.user_bias;
    for (int64_t e = parts_.similarity.offsets[row.item]; e < parts_.similarity.offsets[row.item + 1]; ++e) {
      const int32_t item = parts_.similarity.column[e];
      const double w = static_cast<double>(row.weight) * parts_.similarity.value[e];
      if (state.weight[item] == 0) state.touched.push_back(item);
      state.weight[item] += w;
      state.weighted[item] += w * residual;
    }
  }
}

float RatingKnnMember::score_of(const State& state, int32_t item) const {
  const double bias = parts_.mean + item_bias(item) + state.user_bias;
  if (!knows(item) || state.weight[item] == 0) return static_cast<float>(bias);
  return static_cast<float>(bias + state.weighted[item] / (parts_.shrink + state.weight[item]));
}

void RatingKnnMember::score(const Workspace& workspace, std::span<const int32_t> items, std::span<float> score,
                            std::span<float> variance) const {
  const auto& state = static_cast<const State&>(workspace);
  for (size_t i = 0; i < items.size(); ++i) score[i] = score_of(state, items[i]);
  std::fill(variance.begin(), variance.end(), 0.0f);
}

void RatingKnnMember::score_all(const Workspace& workspace, std::span<float> score) const {
  const auto& state = static_cast<const State&>(workspace);
  for (size_t i = 0; i < score.size(); ++i) score[i] = score_of(state, static_cast<int32_t>(i));
}

double RatingKnnMember::explain(const Workspace& workspace, int32_t item, std::span<double> contribution) const {
  const auto& state = static_cast<const State&>(workspace);
  const double total = knows(item) ? state.weight[item] : 0.0;
  const double scale = total > 0 ? 1 / (parts_.shrink + total) : 0;
  // The user bias enters once directly and once, negatively, through the residuals.
  const double bias_share = state.share * (1 - scale * total);
  for (size_t s = 0; s < state.support.size(); ++s) {
    const auto& row = state.support[s];
    double coefficient = row.weight * bias_share;
    if (scale > 0 && knows(row.item) && row.weight > 0)
      coefficient += scale * row.weight * parts_.similarity.at(row.item, item);
    contribution[s] = coefficient * state.residual[s];
  }
  return parts_.mean + item_bias(item);
}

void RatingKnnMember::save(TensorFile& file) const {
  file.put_text("kind", "rating-knn");
  put_one(file, "mean", parts_.mean);
  put_one(file, "user_shrink", parts_.user_shrink);
  put_one(file, "shrink", parts_.shrink);
  file.put("item_bias", parts_.item_bias);
  file.put("similarity.offsets", parts_.similarity.offsets);
  file.put("similarity.column", parts_.similarity.column);
  file.put("similarity.value", parts_.similarity.value);
}

std::unique_ptr<Member> RatingKnnMember::load(const TensorFile& file) {
  Parts parts;
  parts.mean = get_one<float>(file, "mean");
  parts.user_shrink = get_one<float>(file, "user_shrink");
  parts.shrink = get_one<float>(file, "shrink");
  parts.item_bias = file.get<float>("item_bias");
  parts.similarity = {file.get<int64_t>("similarity.offsets"), file.get<int32_t>("similarity.column"),
                      file.get<float>("similarity.value")};
  return std::make_unique<RatingKnnMember>(std::move(parts));
}

}  // namespace fewshop
