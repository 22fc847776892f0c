#include <cmath>

#include "learner/baseline/baselines.h"
#include "learner/baseline/cooccurrence.h"
#include "learner/baseline/item_bias.h"
#include "learner/baseline/options.h"
#include "runtime/item_item_member.h"
#include "runtime/rating_knn_member.h"

namespace fewshop {

namespace {

/// Similarities being built: [constants][scored item].
using WeightLists = std::vector<std::vector<std::vector<Weight>>>;

/// Replaces every rating by its deviation from mean + item bias + user bias.
void subtract_biases(Interactions& by_task, double mean, const std::vector<float>& item_bias, double user_shrink) {
  for (int64_t t = 0; t < by_task.rows(); ++t) {
    double weight = 0, sum = 0;
    for (int64_t e = by_task.begin[t]; e < by_task.begin[t + 1]; ++e) {
      by_task.value[e] = static_cast<float>(by_task.value[e] - mean - item_bias[by_task.column[e]]);
      weight += by_task.weight[e];
      sum += static_cast<double>(by_task.weight[e]) * by_task.value[e];
    }
    const auto user_bias = static_cast<float>(sum / (user_shrink + weight));
    for (int64_t e = by_task.begin[t]; e < by_task.begin[t + 1]; ++e) by_task.value[e] -= user_bias;
  }
}

std::vector<std::unique_ptr<Member>> fit_rating(const FitInput& input, const std::vector<nlohmann::json>& constants) {
  std::vector<RatingKnnOptions> options;
  for (const auto& entry : constants) options.push_back(read_constants<RatingKnnOptions>(entry, "item-knn"));
  std::vector<std::unique_ptr<Member>> members(options.size());
  const Interactions by_task = ratings(input);
  const double mean = weighted_mean(by_task);
  const auto counts = column_counts(by_task);

  for (size_t first = 0; first < options.size(); ++first) {
    if (members[first]) continue;
    // Entries with the same biases and items share the pass over all pairs.
    const RatingKnnOptions& base = options[first];
    std::vector<size_t> same;
    for (size_t o = first; o < options.size(); ++o)
      if (options[o].item_shrink == base.item_shrink && options[o].user_shrink == base.user_shrink &&
          options[o].max_items == base.max_items)
        same.push_back(o);

    const auto item_bias = shrunken_item_bias(by_task, mean, base.item_shrink);
    Interactions residuals = by_task;
    subtract_biases(residuals, mean, item_bias, base.user_shrink);
    const Interactions by_item = transposed(residuals);
    std::vector<double> inverse_deviation(by_task.columns, 0.0);
    for (int64_t i = 0; i < by_item.rows(); ++i) {
      double square = 0;
      for (int64_t e = by_item.begin[i]; e < by_item.begin[i + 1]; ++e) square += by_item.value[e] * by_item.value[e];
      if (square > 0) inverse_deviation[i] = 1 / std::sqrt(square / static_cast<double>(by_item.count(i)));
    }
    const auto items = most_frequent(counts, base.max_items);
    WeightLists weights(same.size(), std::vector<std::vector<Weight>>(by_task.columns));
    visit_pairs(residuals, by_item, items, true, input.threads, [&](int32_t item, const PairSums& sums) {
      for (size_t k = 0; k < same.size(); ++k) {
        auto& list = weights[k][item];
        for (int32_t other : items) {
          if (other == item || !(sums.product[other] > 0)) continue;
          const double correlation = sums.product[other] / (sums.count[other] + options[same[k]].similarity_shrink) *
                                     inverse_deviation[item] * inverse_deviation[other];
          if (static_cast<float>(correlation) > 0) list.push_back({other, static_cast<float>(correlation)});
        }
        keep_largest(list, options[same[k]].keep);
      }
    });
    for (size_t k = 0; k < same.size(); ++k) {
      const auto& o = options[same[k]];
      members[same[k]] = std::make_unique<RatingKnnMember>(
          RatingKnnMember::Parts{static_cast<float>(mean), static_cast<float>(o.user_shrink),
                                 static_cast<float>(o.shrink), item_bias, by_support_item(weights[k])});
      weights[k].clear();
    }
  }
  return members;
}

std::vector<std::unique_ptr<Member>> fit_ranking(const FitInput& input, const std::vector<nlohmann::json>& constants) {
  std::vector<RankingKnnOptions> options;
  int max_items = 1;
  for (const auto& entry : constants) {
    options.push_back(read_constants<RankingKnnOptions>(entry, "item-knn"));
    max_items = std::max(max_items, options.back().max_items);
  }
  const Interactions by_task = distinct_items(input);
  const Interactions by_item = transposed(by_task);
  const auto counts = column_counts(by_task);
  const auto items = most_frequent(counts, max_items);
  WeightLists weights(options.size(), std::vector<std::vector<Weight>>(by_task.columns));
  std::vector<std::vector<uint8_t>> listed;
  for (const auto& o : options) {
    listed.emplace_back(by_task.columns, 0);
    for (int32_t item : most_frequent(counts, o.max_items)) listed.back()[item] = 1;
  }
  visit_pairs(by_task, by_item, items, false, input.threads, [&](int32_t item, const PairSums& sums) {
    for (size_t k = 0; k < options.size(); ++k) {
      if (!listed[k][item]) continue;
      auto& list = weights[k][item];
      for (int32_t other : items) {
        if (other == item || sums.count[other] == 0 || !listed[k][other]) continue;
        const double norm = std::sqrt(static_cast<double>(counts[item]) * counts[other]) + options[k].shrink;
        list.push_back({other, static_cast<float>(sums.count[other] / norm)});
      }
      keep_largest(list, options[k].keep);
      if (options[k].self > 0) insert_self(list, item, options[k].self);
    }
  });
  std::vector<std::unique_ptr<Member>> members;
  for (size_t k = 0; k < options.size(); ++k) {
    members.push_back(std::make_unique<ItemItemMember>(
        ItemItemMember::Parts{"item-knn", static_cast<float>(options[k].repeat_power), tie_break(counts),
                              options[k].per_scored_item ? by_support_item(weights[k]) : sparse_rows(weights[k])}));
  }
  return members;
}

class ItemKnn final : public Baseline {
 public:
  std::string_view name() const override { return "item-knn"; }
  bool fits(Problem) const override { return true; }
  std::vector<nlohmann::json> grid(const FitInput& input) const override {
    if (input.scenario.problem == Problem::kRating)
      return {{{"similarity_shrink", 100}, {"shrink", 0.3}},
              {{"similarity_shrink", 300}, {"shrink", 0.3}},
              {{"similarity_shrink", 100}, {"shrink", 1}},
              {{"similarity_shrink", 30}, {"shrink", 1}}};
    // Weights kept per scored item do better with long supports, per support item with short ones.
    if (input.scenario.exclude_seen)
      return {{{"shrink", 20}}, {{"shrink", 20}, {"per_scored_item", true}}, {{"shrink", 0}}, {{"shrink", 200}}};
    return {{{"shrink", 20}},
            {{"shrink", 20}, {"self", 0.1}, {"repeat_power", 0.5}},
            {{"shrink", 20}, {"self", 0.5}, {"repeat_power", 0.5}},
            {{"shrink", 20}, {"self", 0.5}, {"repeat_power", 0.5}, {"per_scored_item", true}}};
  }
  std::vector<std::unique_ptr<Member>> fit(const FitInput& input,
                                           const std::vector<nlohmann::json>& constants) const override {
    return input.scenario.problem == Problem::kRating ? fit_rating(input, constants) : fit_ranking(input, constants);
  }
};

}  // namespace

const Baseline& item_knn_baseline() {
  static const ItemKnn baseline;
  return baseline;
}

}  // namespace fewshop
