#include "learner/baseline/row_baseline.h"

#include <fmt/format.h>

#include <cmath>

#include "core/cancel.h"
#include "core/progress.h"

namespace fewshop {
namespace {

class RowBaselineLearner final : public RowLearner {
 public:
  RowBaselineLearner(const RowBaseline& baseline, nlohmann::json fixed)
      : baseline_(baseline), fixed_(std::move(fixed)) {}

  std::string_view name() const override { return baseline_.name(); }
  bool has_runtime_form() const override { return baseline_.has_runtime_form(); }

  std::unique_ptr<RowMember> fit(const RowFitInput& input, const RowMemberLoss& loss, nlohmann::json& chosen,
                                 const Run&) const override {
    const auto fit = baseline_.prepare(input);
    if (!loss) return fit->fit(chosen);
    return choose(*fit, loss, chosen);
  }

 private:
  /// Coordinate search: each constant in turn.
  std::unique_ptr<RowMember> choose(RowBaselineFit& fit, const RowMemberLoss& loss, nlohmann::json& chosen) const {
    const auto candidates = baseline_.candidates();
    nlohmann::json start = fixed_;
    for (const auto& c : candidates)
      if (!start.contains(c.name)) start[c.name] = c.values.front();
    nlohmann::json best = start;
    auto member = fit.fit(best);
    double best_loss = candidates.empty() ? 0 : loss(*member);
    if (!candidates.empty()) tell(start, best_loss);
    for (const auto& c : candidates) {
      if (fixed_.contains(c.name)) continue;
      const nlohmann::json tried = start[c.name];
      for (const auto& value : c.values) {
        check_cancelled();
        if (value == tried) continue;
        nlohmann::json next = start;
        next[c.name] = value;
        nlohmann::json found = next;
        auto other = fit.fit(found);
        const double cost = loss(*other);
        tell(next, cost);
        if (!(cost < best_loss)) continue;
        best_loss = cost;
        best = found;
        member = std::move(other);
      }
      start[c.name] = best[c.name];
    }
    chosen = best;
    return member;
  }

  void tell(const nlohmann::json& constants, double loss) const {
    verbose(fmt::format("{} {}: validation {:.5f}", name(), constants.dump(), loss));
  }

  const RowBaseline& baseline_;
  nlohmann::json fixed_;
};

}  // namespace

std::unique_ptr<RowLearner> make_row_baseline_learner(const RowBaseline& baseline, nlohmann::json fixed) {
  return std::make_unique<RowBaselineLearner>(baseline, std::move(fixed));
}

const RowBaseline* find_row_baseline(const std::string& name) {
  for (const RowBaseline* baseline :
       {&majority_baseline(), &row_global_mean_baseline(), &row_item_mean_baseline(), &task_mean_baseline(),
        &pooled_linear_baseline(), &pooled_logistic_baseline(), &task_linear_baseline(), &task_logistic_baseline()})
    if (baseline->name() == name) return baseline;
  return nullptr;
}

}  // namespace fewshop
