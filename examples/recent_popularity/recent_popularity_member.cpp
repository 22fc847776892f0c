#include "recent_popularity_member.h"

#include <algorithm>
#include <cmath>

#include "bundle/tensor_file.h"
#include "core/error.h"
#include "runtime/member_support.h"

namespace fewshop {
namespace {

/// What adapting keeps of a task: its rows. Recomputing is cheap, and there is no state that could be stale.
struct State final : Workspace {
  std::span<const SupportRow> support;
};

const State& state_of(const Workspace& workspace) { return static_cast<const State&>(workspace); }

}  // namespace

RecentPopularityMember::RecentPopularityMember(Parts parts) : parts_(std::move(parts)) {
  require_finite(parts_.log_share, "recent-popularity");
  require_finite(std::vector{parts_.unseen, parts_.repeat}, "recent-popularity");
  require(std::isfinite(parts_.half_life) && parts_.half_life > 0,
          "recent-popularity: half_life: expected a positive number of seconds, got ", parts_.half_life);
}

std::unique_ptr<Workspace> RecentPopularityMember::workspace() const { return std::make_unique<State>(); }

void RecentPopularityMember::adapt(const TaskView& task, Workspace& workspace) const {
  static_cast<State&>(workspace).support = task.support;
}

float RecentPopularityMember::prior(int32_t item) const {
  const bool known = item >= 0 && static_cast<size_t>(item) < parts_.log_share.size();
  return known ? parts_.log_share[item] : parts_.unseen;
}

double RecentPopularityMember::term(const SupportRow& row) const {
  return evidence(row) > 0 ? parts_.repeat * std::exp2(-row.age / parts_.half_life) : 0;
}

void RecentPopularityMember::score(const Workspace& workspace, std::span<const int32_t> items, std::span<float> score,
                                   std::span<float> variance) const {
  for (size_t i = 0; i < items.size(); ++i) {
    double sum = prior(items[i]);
    for (const SupportRow& row : state_of(workspace).support)
      if (row.item == items[i] && row.item >= 0) sum += term(row);
    score[i] = static_cast<float>(sum);
  }
  std::fill(variance.begin(), variance.end(), 0.0F);
}

void RecentPopularityMember::score_all(const Workspace& workspace, std::span<float> score) const {
  for (size_t i = 0; i < score.size(); ++i) score[i] = prior(static_cast<int32_t>(i));
  for (const SupportRow& row : state_of(workspace).support)
    if (row.item >= 0 && static_cast<size_t>(row.item) < score.size()) score[row.item] += static_cast<float>(term(row));
}

double RecentPopularityMember::explain(const Workspace& workspace, int32_t item, std::span<double> contribution) const {
  const auto support = state_of(workspace).support;
  for (size_t s = 0; s < support.size(); ++s)
    contribution[s] = support[s].item == item && item >= 0 ? term(support[s]) : 0;
  return prior(item);
}

void RecentPopularityMember::save(TensorFile& file) const {
  file.put_text("kind", "recent-popularity");
  file.put("log_share", parts_.log_share);
  put_one(file, "unseen", parts_.unseen);
  put_one(file, "repeat", parts_.repeat);
  put_one(file, "half_life", parts_.half_life);
}

std::unique_ptr<Member> RecentPopularityMember::load(const TensorFile& file) {
  return std::make_unique<RecentPopularityMember>(Parts{file.get<float>("log_share"), get_one<float>(file, "unseen"),
                                                        get_one<float>(file, "repeat"),
                                                        get_one<float>(file, "half_life")});
}

}  // namespace fewshop
