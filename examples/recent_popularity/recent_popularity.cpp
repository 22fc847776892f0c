#include "recent_popularity.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "recent_popularity_member.h"

namespace fewshop {
namespace {

class RecentPopularity final : public Baseline {
 public:
  std::string_view name() const override { return "recent-popularity"; }
  bool fits(Problem problem) const override { return problem == Problem::kRanking; }

  std::vector<nlohmann::json> grid(const FitInput&) const override {
    std::vector<nlohmann::json> entries;
    for (const double days : {30.0, 7.0, 90.0})
      for (const double repeat : {1.0, 4.0}) entries.push_back({{"half_life_days", days}, {"repeat", repeat}});
    return entries;
  }

  std::vector<std::unique_ptr<Member>> fit(const FitInput& input,
                                           const std::vector<nlohmann::json>& constants) const override {
    std::vector<std::unique_ptr<Member>> members;
    for (const nlohmann::json& entry : constants) {
      RecentPopularityOptions options;
      set_fields(options, entry, "recent-popularity");
      members.push_back(fit_one(input, options));
    }
    return members;
  }

 private:
  static std::unique_ptr<Member> fit_one(const FitInput& input, const RecentPopularityOptions& options) {
    const Dataset& data = input.data;
    Micros latest = 0;
    for (const TaskRows& task : input.tasks)
      for (const int32_t r : task.rows) latest = std::max(latest, data.time[r]);

    const double half_life = options.half_life_days * static_cast<double>(kDay);
    std::vector<double> count(data.items(), 1.0);  // one row for every item, so that none has a share of 0
    for (const TaskRows& task : input.tasks)
      for (const int32_t r : task.rows)
        if (!input.is_hidden(data.item[r]))
          count[data.item[r]] += std::exp2(-static_cast<double>(latest - data.time[r]) / half_life);

    const double total = std::accumulate(count.begin(), count.end(), 0.0);
    RecentPopularityMember::Parts parts;
    for (const double c : count) parts.log_share.push_back(static_cast<float>(std::log(c / total)));
    parts.unseen = static_cast<float>(-std::log(total));
    parts.repeat = static_cast<float>(options.repeat);
    parts.half_life = static_cast<float>(options.half_life_days * 86'400);
    return std::make_unique<RecentPopularityMember>(std::move(parts));
  }
};

}  // namespace

const Baseline& recent_popularity_baseline() {
  static const RecentPopularity baseline;
  return baseline;
}

}  // namespace fewshop
