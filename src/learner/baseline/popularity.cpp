#include <cmath>
#include <numeric>

#include "learner/baseline/baselines.h"
#include "learner/baseline/interactions.h"
#include "learner/baseline/options.h"
#include "runtime/popularity_member.h"

namespace fewshop {

namespace {

class Popularity final : public Baseline {
 public:
  std::string_view name() const override { return "popularity"; }
  bool fits(Problem problem) const override { return problem == Problem::kRanking; }
  std::vector<nlohmann::json> grid(const FitInput&) const override {
    return {{{"per_task", false}}, {{"per_task", true}}};
  }
  std::vector<std::unique_ptr<Member>> fit(const FitInput& input,
                                           const std::vector<nlohmann::json>& constants) const override {
    const Interactions by_task = distinct_items(input);
    std::vector<std::unique_ptr<Member>> members;
    for (const auto& entry : constants) {
      const auto options = read_constants<PopularityOptions>(entry, "popularity");
      std::vector<double> count(by_task.columns, 0.0);
      for (int64_t e = 0; e < by_task.entries(); ++e)
        count[by_task.column[e]] += options.per_task ? 1.0 : by_task.value[e];
      const double total = std::accumulate(count.begin(), count.end(), 0.0) +
                           options.smoothing * static_cast<double>(std::max<int64_t>(by_task.columns, 1));
      std::vector<float> log_share(count.size());
      for (size_t i = 0; i < count.size(); ++i)
        log_share[i] = static_cast<float>(std::log((count[i] + options.smoothing) / total));
      members.push_back(std::make_unique<PopularityMember>(std::move(log_share),
                                                           static_cast<float>(std::log(options.smoothing / total))));
    }
    return members;
  }
};

}  // namespace

const Baseline& popularity_baseline() {
  static const Popularity baseline;
  return baseline;
}

}  // namespace fewshop
