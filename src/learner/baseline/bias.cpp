#include <memory>

#include "learner/baseline/baselines.h"
#include "learner/baseline/item_bias.h"
#include "learner/baseline/options.h"
#include "runtime/bias_member.h"

namespace fewshop {

std::vector<float> shrunken_item_bias(const Interactions& by_task, double mean, double shrink) {
  std::vector<double> sum(by_task.columns, 0.0), weight(by_task.columns, 0.0);
  for (int64_t e = 0; e < by_task.entries(); ++e) {
    sum[by_task.column[e]] += by_task.weight[e] * (by_task.value[e] - mean);
    weight[by_task.column[e]] += by_task.weight[e];
  }
  std::vector<float> bias(by_task.columns, 0.0f);
  for (int64_t i = 0; i < by_task.columns; ++i)
    if (weight[i] > 0) bias[i] = static_cast<float>(sum[i] / (shrink + weight[i]));
  return bias;
}

namespace {

std::unique_ptr<Member> make_member(const char* name, double mean, double user_shrink, std::vector<float> item_bias) {
  return std::make_unique<BiasMember>(
      BiasMember::Parts{name, static_cast<float>(mean), static_cast<float>(user_shrink), std::move(item_bias)});
}

class GlobalMean final : public Baseline {
 public:
  std::string_view name() const override { return "global-mean"; }
  bool fits(Problem problem) const override { return problem == Problem::kRating; }
  std::vector<nlohmann::json> grid(const FitInput&) const override { return {nlohmann::json::object()}; }
  std::vector<std::unique_ptr<Member>> fit(const FitInput& input,
                                           const std::vector<nlohmann::json>& constants) const override {
    const double mean = weighted_mean(ratings(input));
    std::vector<std::unique_ptr<Member>> members;
    for (const auto& entry : constants) {
      read_constants<GlobalMeanOptions>(entry, "global-mean");
      members.push_back(make_member("global-mean", mean, -1, {}));
    }
    return members;
  }
};

class ItemMean final : public Baseline {
 public:
  std::string_view name() const override { return "item-mean"; }
  bool fits(Problem problem) const override { return problem == Problem::kRating; }
  std::vector<nlohmann::json> grid(const FitInput&) const override {
    return {{{"item_shrink", 3}}, {{"item_shrink", 1}}, {{"item_shrink", 10}}, {{"item_shrink", 30}}};
  }
  std::vector<std::unique_ptr<Member>> fit(const FitInput& input,
                                           const std::vector<nlohmann::json>& constants) const override {
    const Interactions by_task = ratings(input);
    const double mean = weighted_mean(by_task);
    std::vector<std::unique_ptr<Member>> members;
    for (const auto& entry : constants) {
      const auto options = read_constants<ItemMeanOptions>(entry, "item-mean");
      members.push_back(make_member("item-mean", mean, -1, shrunken_item_bias(by_task, mean, options.item_shrink)));
    }
    return members;
  }
};

class Bias final : public Baseline {
 public:
  std::string_view name() const override { return "bias"; }
  bool fits(Problem problem) const override { return problem == Problem::kRating; }
  std::vector<nlohmann::json> grid(const FitInput&) const override {
    std::vector<nlohmann::json> grid;
    for (const auto& [item, user] : {std::pair{3, 5}, {3, 2}, {3, 10}, {10, 2}, {10, 5}, {10, 10}})
      grid.push_back({{"item_shrink", item}, {"user_shrink", user}});
    return grid;
  }
  std::vector<std::unique_ptr<Member>> fit(const FitInput& input,
                                           const std::vector<nlohmann::json>& constants) const override {
    const Interactions by_task = ratings(input);
    const double mean = weighted_mean(by_task);
    std::vector<std::unique_ptr<Member>> members;
    for (const auto& entry : constants) {
      const auto options = read_constants<BiasOptions>(entry, "bias");
      members.push_back(
          make_member("bias", mean, options.user_shrink, shrunken_item_bias(by_task, mean, options.item_shrink)));
    }
    return members;
  }
};

}  // namespace

const Baseline& global_mean_baseline() {
  static const GlobalMean baseline;
  return baseline;
}

const Baseline& item_mean_baseline() {
  static const ItemMean baseline;
  return baseline;
}

const Baseline& bias_baseline() {
  static const Bias baseline;
  return baseline;
}

}  // namespace fewshop
