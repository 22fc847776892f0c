#include <cmath>
#include <numeric>

#include "core/parallel.h"
#include "learner/baseline/baselines.h"
#include "learner/baseline/cooccurrence.h"
#include "learner/baseline/options.h"
#include "learner/baseline/spd_inverse.h"
#include "runtime/item_item_member.h"

namespace fewshop {

namespace {

/// Lower triangle of XᵀX + ridge for binary X, column-major [n, n] over the listed items.
std::vector<float> gram(const Interactions& by_task, const Interactions& by_item, const std::vector<int32_t>& items,
                        double ridge, int threads) {
  const auto n = static_cast<int64_t>(items.size());
  std::vector<float> matrix(n * n, 0.0f);
  std::vector<int64_t> position(by_task.columns, -1);
  for (int64_t i = 0; i < n; ++i) position[items[i]] = i;
  visit_pairs(by_task, by_item, items, false, threads, [&](int32_t item, const PairSums& sums) {
    const int64_t column = position[item];
    float* out = matrix.data() + column * n;
    for (int64_t row = column; row < n; ++row) out[row] = sums.count[items[row]];
    out[column] += static_cast<float>(ridge);
  });
  return matrix;
}

struct Kept {
  std::vector<std::vector<Weight>> weights;  // per support item
  float share = 1;                           // of the sum of all squared weights
};

double squares(const std::vector<Weight>& weights) {
  double sum = 0;
  for (const Weight& weight : weights) sum += static_cast<double>(weight.value) * weight.value;
  return sum;
}

/// B = I - P diag(P)^-1 without its diagonal, the largest weights of every support item. `inverse` holds the lower
/// triangle of P.
Kept largest_weights(const std::vector<float>& inverse, const std::vector<int32_t>& items, int64_t columns,
                     const EaseOptions& options, int threads) {
  const auto n = static_cast<int64_t>(items.size());
  Kept kept{std::vector<std::vector<Weight>>(columns), 1};
  std::vector<double> all(n), left(n);  // sums of squares per item: added up in order, whatever the threads
  parallel_for(n, threads, 64, [&](int64_t first, int64_t last, int) {
    std::vector<Weight> list;
    for (int64_t i = first; i < last; ++i) {
      list.clear();
      for (int64_t j = 0; j < n; ++j) {
        if (i == j) continue;
        const float p = i > j ? inverse[j * n + i] : inverse[i * n + j];
        const float value = -p / inverse[j * n + j];
        if (value != 0) list.push_back({items[j], value});
      }
      all[i] = squares(list);
      keep_largest(list, options.dense ? static_cast<int>(n) : options.keep);
      left[i] = squares(list);
      if (options.self > 0) insert_self(list, items[i], options.self);
      kept.weights[items[i]] = list;
    }
  });
  const bool complete = options.dense || options.keep >= n - 1;
  const double sum = std::accumulate(all.begin(), all.end(), 0.0);
  if (!complete && sum > 0) kept.share = static_cast<float>(std::accumulate(left.begin(), left.end(), 0.0) / sum);
  return kept;
}

class Ease final : public Baseline {
 public:
  std::string_view name() const override { return "ease"; }
  bool fits(Problem problem) const override { return problem == Problem::kRanking; }

  std::vector<nlohmann::json> grid(const FitInput& input) const override {
    // Every ridge costs an inverse; where that takes minutes, the usual one is enough.
    const auto items = std::min<int64_t>(input.data.items(), EaseOptions{}.max_items);
    std::vector<nlohmann::json> grid{{{"ridge", 1000}}};
    if (items <= 8000) grid.insert(grid.end(), {{{"ridge", 250}}, {{"ridge", 4000}}});
    if (!input.scenario.exclude_seen)
      grid.insert(grid.end(), {{{"ridge", 1000}, {"self", 0.05}, {"repeat_power", 0.5}},
                               {{"ridge", 1000}, {"self", 0.3}, {"repeat_power", 0.5}}});
    return grid;
  }

  std::vector<std::unique_ptr<Member>> fit(const FitInput& input,
                                           const std::vector<nlohmann::json>& constants) const override {
    std::vector<EaseOptions> options;
    for (const auto& entry : constants) options.push_back(read_constants<EaseOptions>(entry, "ease"));
    std::vector<std::unique_ptr<Member>> members(options.size());
    const Interactions by_task = distinct_items(input);
    const Interactions by_item = transposed(by_task);
    const auto counts = column_counts(by_task);
    for (size_t first = 0; first < options.size(); ++first) {
      if (members[first]) continue;
      const auto items = most_frequent(counts, options[first].max_items);
      std::vector<float> matrix = gram(by_task, by_item, items, options[first].ridge, input.threads);
      if (!invert_spd(matrix.data(), static_cast<int64_t>(items.size())))
        throw Failure(
            fmt::format("ease: the matrix of {} items is not positive definite in single precision with ridge {}; use "
                        "a larger ridge",
                        items.size(), options[first].ridge));
      // Entries that differ in what is kept only share the inverse.
      for (size_t o = first; o < options.size(); ++o) {
        if (members[o] || options[o].ridge != options[first].ridge || options[o].max_items != options[first].max_items)
          continue;
        auto kept = largest_weights(matrix, items, by_task.columns, options[o], input.threads);
        members[o] = std::make_unique<ItemItemMember>(
            ItemItemMember::Parts{"ease", static_cast<float>(options[o].repeat_power), tie_break(counts),
                                  sparse_rows(kept.weights), kept.share});
      }
    }
    return members;
  }
};

}  // namespace

const Baseline& ease_baseline() {
  static const Ease baseline;
  return baseline;
}

}  // namespace fewshop
