#pragma once

#include "core/random.h"
#include "evaluate/outcome.h"

namespace fewshop {

/// Outcomes of a rating problem with made-up answers: the served and adapted answers miss by about `error`, the
/// baseline by `baseline_error`; every third item is cold, the served answer states its variance.
inline Outcomes made_up_ratings(int tasks, double error, double baseline_error, uint64_t seed = 1) {
  Outcomes outcomes;
  outcomes.scenario = "made-up";
  outcomes.metrics = {"mae", "rmse", "ndcg@3", "auc"};
  outcomes.methods = {"served", "adapted", "bias"};
  outcomes.best_baseline = "bias";
  Random random(seed);
  const auto point = [&](const std::string& label) {
    ShotOutcome shot{label, {}};
    for (int t = 0; t < tasks; ++t) {
      TaskOutcome task;
      task.unit = t;
      task.tie_seed = random.next();
      task.answers.resize(3);
      for (int q = 0; q < 6; ++q) {
        const auto target = static_cast<float>(random.between(1, 5));
        task.target.push_back(target);
        task.cold.push_back(q % 3 == 0);
        task.adapted.push_back(q % 2 == 0);
        for (int m = 0; m < 3; ++m)
          task.answers[m].score.push_back(target +
                                          static_cast<float>((m == 2 ? baseline_error : error) * random.normal()));
        task.answers[0].variance.push_back(static_cast<float>(error * error));
      }
      shot.tasks.push_back(std::move(task));
    }
    return shot;
  };
  SplitOutcome split{"test", point("headline"), {}};
  for (const char* label : {"0", "5", "80%"}) split.shots.push_back(point(label));
  outcomes.splits.push_back(std::move(split));
  return outcomes;
}

/// Outcomes of a ranking problem: the served list puts query items near the top, the baseline anywhere.
inline Outcomes made_up_ranks(int tasks, uint64_t seed = 1) {
  Outcomes outcomes;
  outcomes.problem = Problem::kRanking;
  outcomes.scenario = "made-up-ranks";
  outcomes.metrics = {"recall@10", "mrr@10", "ndcg@10"};
  outcomes.methods = {"served", "adapted", "popularity"};
  outcomes.best_baseline = "popularity";
  Random random(seed);
  const auto point = [&](const std::string& label) {
    ShotOutcome shot{label, {}};
    for (int t = 0; t < tasks; ++t) {
      TaskOutcome task;
      task.unit = t;
      task.candidates = 50;
      task.target = {1, 1};
      task.cold = {0, static_cast<uint8_t>(t % 2)};
      task.adapted = {1, 1};
      for (int m = 0; m < 3; ++m) {
        const auto first = static_cast<int32_t>(random.below(m == 2 ? 49 : 15));
        task.answers.push_back({.rank = {first, first + 1}});
      }
      shot.tasks.push_back(std::move(task));
    }
    return shot;
  };
  outcomes.splits.push_back({"test", point("headline"), {point("0"), point("1"), point("5")}});
  return outcomes;
}

}  // namespace fewshop
