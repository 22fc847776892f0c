#include "runtime/item_item_member.h"

#include <algorithm>

#include "runtime/item_sums.h"
#include "runtime/member_support.h"

namespace fewshop {

struct ItemItemMember::State final : Workspace {
  explicit State(size_t items) : rows_of(items, 0) {}

  std::span<const SupportRow> support;
  std::vector<double> factor;    // [support rows] 0 = the row does not count
  std::vector<int32_t> rows_of;  // [items] support rows of an item; 0 between calls
  // Made when first asked for; a workspace is one thread's own.
  mutable bool summed = false;
  mutable ItemSums sums;  // without the prior
  mutable std::vector<std::pair<float, int32_t>> scratch;
};

ItemItemMember::ItemItemMember(Parts parts) : parts_(std::move(parts)) {
  const auto items = static_cast<int64_t>(parts_.prior.size());
  require(parts_.weights.rows() == items && parts_.weights.value.size() == parts_.weights.column.size(), parts_.name,
          ": ", parts_.weights.rows(), " rows of weights for ", items, " items; the file is damaged");
  require_sparse_rows(parts_.weights.offsets, parts_.weights.column, items, parts_.name);
  for (int64_t row = 0; row < items; ++row)
    for (int64_t e = parts_.weights.offsets[row] + 1; e < parts_.weights.offsets[row + 1]; ++e)
      require(parts_.weights.column[e - 1] < parts_.weights.column[e], parts_.name,
              ": weights of an item are not in the order of the others; the file is damaged");
  require_finite(parts_.weights.value, parts_.name);
  require_finite(parts_.prior, parts_.name);
  require_finite({&parts_.repeat_power, 1}, parts_.name);
  require_finite({&parts_.kept, 1}, parts_.name);
}

std::unique_ptr<Workspace> ItemItemMember::workspace() const { return std::make_unique<State>(parts_.prior.size()); }

/// Asks for the weights of an item before they are needed: the rows of items lie far apart.
void ItemItemMember::fetch(int32_t item) const {
  constexpr int64_t kLine = 16;  // numbers of a cache line
  constexpr int64_t kMost = 8;   // lines; after them the processor has seen where it goes
  if (!knows(item)) return;
  const int64_t begin = parts_.weights.offsets[item];
  const int64_t end = std::min(parts_.weights.offsets[item + 1], begin + kMost * kLine);
  for (int64_t e = begin; e < end; e += kLine) {
    __builtin_prefetch(parts_.weights.column.data() + e);
    __builtin_prefetch(parts_.weights.value.data() + e);
  }
}

void ItemItemMember::adapt(const TaskView& task, Workspace& workspace) const {
  auto& state = static_cast<State&>(workspace);
  state.summed = false;
  state.support = task.support;
  state.factor.assign(task.support.size(), 0.0);

  for (const auto& row : task.support)
    if (knows(row.item) && evidence(row) > 0) ++state.rows_of[row.item];
  for (size_t s = 0; s < task.support.size(); ++s) {
    const auto& row = task.support[s];
    if (!knows(row.item) || !(evidence(row) > 0)) continue;
    const int32_t repeats = state.rows_of[row.item];
    state.factor[s] = repeats == 1 ? evidence(row) : evidence(row) * std::pow(repeats, parts_.repeat_power - 1.0);
  }
  for (const auto& row : task.support)
    if (knows(row.item)) state.rows_of[row.item] = 0;
}

/// The sums of all items that a support row has a weight for.
void ItemItemMember::sum(const State& state) const {
  if (state.summed) return;
  state.sums.clear();
  for (size_t s = 0; s < state.support.size(); ++s) {
    if (s + 1 < state.support.size()) fetch(state.support[s + 1].item);
    const double factor = state.factor[s];
    if (factor == 0) continue;
    const int32_t item = state.support[s].item;
    for (int64_t e = parts_.weights.offsets[item]; e < parts_.weights.offsets[item + 1]; ++e)
      state.sums.add(parts_.weights.column[e], factor * parts_.weights.value[e]);
  }
  state.summed = true;
}

/// The same score without the sums of the others: its terms in the same order.
float ItemItemMember::score_directly(const State& state, int32_t item) const {
  if (!knows(item)) return 0.0F;
  double sum = 0;
  for (size_t s = 0; s < state.support.size(); ++s)
    if (state.factor[s] != 0) sum += state.factor[s] * parts_.weights.at(state.support[s].item, item);
  return static_cast<float>(parts_.prior[item] + sum);
}

float ItemItemMember::score_of(const State& state, int32_t item) const {
  return knows(item) ? static_cast<float>(parts_.prior[item] + state.sums.of(item)) : 0.0f;
}

void ItemItemMember::score(const Workspace& workspace, std::span<const int32_t> items, std::span<float> score,
                           std::span<float> variance) const {
  const auto& state = static_cast<const State&>(workspace);
  constexpr size_t kFew = 8;    // items: looking their weights up is faster than all sums
  constexpr size_t kAhead = 8;  // priors lie far apart: fetched before they are needed
  std::fill(variance.begin(), variance.end(), 0.0f);
  if (!state.summed && items.size() <= kFew) {
    for (size_t i = 0; i < items.size(); ++i) score[i] = score_directly(state, items[i]);
    return;
  }
  sum(state);
  for (size_t i = 0; i < items.size(); ++i) {
    if (i + kAhead < items.size() && knows(items[i + kAhead])) {
      __builtin_prefetch(&parts_.prior[items[i + kAhead]]);
      state.sums.fetch(items[i + kAhead]);
    }
    score[i] = score_of(state, items[i]);
  }
}

void ItemItemMember::score_all(const Workspace& workspace, std::span<float> score) const {
  const auto& state = static_cast<const State&>(workspace);
  sum(state);
  const size_t known = std::min(score.size(), parts_.prior.size());
  std::copy_n(parts_.prior.begin(), known, score.begin());
  std::fill(score.begin() + static_cast<std::ptrdiff_t>(known), score.end(), 0.0F);
  for (const int32_t item : state.sums.items())
    if (static_cast<size_t>(item) < known) score[item] = score_of(state, item);
}

double ItemItemMember::explain(const Workspace& workspace, int32_t item, std::span<double> contribution) const {
  const auto& state = static_cast<const State&>(workspace);
  std::fill(contribution.begin(), contribution.end(), 0.0);
  if (!knows(item)) return 0;
  for (size_t s = 0; s < state.support.size(); ++s)
    if (state.factor[s] != 0) contribution[s] = state.factor[s] * parts_.weights.at(state.support[s].item, item);
  return parts_.prior[item];
}

void ItemItemMember::candidates(const Workspace& workspace, int n, const ItemSet& excluded,
                                std::vector<int32_t>& items) const {
  const auto& state = static_cast<const State&>(workspace);
  sum(state);
  const auto found = state.sums.items();
  const auto sums = state.sums.sums();
  constexpr size_t kAhead = 16;  // priors lie far apart
  const auto score = [&](size_t i) {
    if (i + kAhead < found.size()) __builtin_prefetch(&parts_.prior[found[i + kAhead]]);
    return sums[i] > 0 ? static_cast<float>(parts_.prior[found[i]] + sums[i]) : 0.0F;
  };
  append_best(found, n, excluded, score, state.scratch, items);
}

nlohmann::json ItemItemMember::facts() const {
  if (parts_.kept == 1) return nullptr;
  return {{"kept_squared_weight", parts_.kept}};
}

void ItemItemMember::save(TensorFile& file) const {
  file.put_text("kind", "item-item");
  file.put_text("name", parts_.name);
  put_one(file, "repeat_power", parts_.repeat_power);
  if (parts_.kept != 1) put_one(file, "kept", parts_.kept);
  file.put("prior", parts_.prior);
  file.put("weights.offsets", parts_.weights.offsets);
  file.put("weights.column", parts_.weights.column);
  file.put("weights.value", parts_.weights.value);
}

std::unique_ptr<Member> ItemItemMember::load(const TensorFile& file) {
  Parts parts;
  parts.name = file.text("name");
  parts.repeat_power = get_one<float>(file, "repeat_power");
  if (file.has("kept")) parts.kept = get_one<float>(file, "kept");
  parts.prior = file.get<float>("prior");
  parts.weights = {file.get<int64_t>("weights.offsets"), file.get<int32_t>("weights.column"),
                   file.get<float>("weights.value")};
  return std::make_unique<ItemItemMember>(std::move(parts));
}

}  // namespace fewshop
