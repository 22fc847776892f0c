#pragma once

#include <fmt/format.h>

#include <string>

#include "core/random.h"
#include "learner/real_data.h"

namespace fewshop::testing {

/// A small problem whose structure is known. Ratings: 3 + item effect + taste (+1 or -1) x genre (+1 or -1) + noise;
/// the genre is the items' only feature. Ranks: a task has items of one genre, neighbours in number more often.
struct Synthetic {
  Dataset data;
  Scenario scenario;
  TaskSet train;
  std::vector<uint8_t> hidden;

  FitInput input(int threads = 1) const { return {data, scenario, train, &hidden, threads, 0}; }
};

inline Synthetic synthetic(Problem problem, int tasks = 60, int items = 30, double noise = 0.3, uint64_t seed = 1) {
  Random random(seed);
  DatasetBuilder builder;
  std::vector<std::vector<std::string>> genres;
  std::vector<double> effect;
  for (int i = 0; i < items; ++i) {
    builder.item(fmt::format("i{}", i));
    genres.push_back({i % 2 ? "odd" : "even"});
    effect.push_back(0.5 * random.normal());
  }
  for (int t = 0; t < tasks; ++t) {
    const int taste = t % 2 ? 1 : -1;
    const int rows = 6 + static_cast<int>(random.below(10));
    for (int r = 0; r < rows; ++r) {
      int item = static_cast<int>(random.below(items));
      const int genre = item % 2 ? 1 : -1;
      if (problem == Problem::kRating) {
        builder.add(fmt::format("t{}", t), fmt::format("i{}", item),
                    static_cast<float>(3 + effect[item] + 0.8 * taste * genre + noise * random.normal()));
      } else {
        if (genre != taste) item ^= 1;
        builder.add(fmt::format("t{}", t), fmt::format("i{}", item), 1, 0, r / 2);
      }
    }
  }
  builder.add_bags("items.genre", genres);
  Synthetic result;
  result.data = builder.finish();
  result.scenario.problem = problem;
  for (int t = 0; t < tasks; ++t) result.train.push_back(all_rows(result.data, t));
  result.hidden.assign(items, 0);
  return result;
}

inline std::unique_ptr<Member> fit_one(const std::string& name, const FitInput& input,
                                       const nlohmann::json& constants = nlohmann::json::object()) {
  return std::move(find_baseline(name)->fit(input, {constants})[0]);
}

/// Scores of all items after adapting to the support.
inline std::vector<float> scores(const Member& member, const std::vector<SupportRow>& support, int64_t items) {
  const auto workspace = member.workspace();
  std::vector<float> score(items);
  member.adapt({support, {}}, *workspace);
  member.score_all(*workspace, score);
  return score;
}

}  // namespace fewshop::testing
