#include "evaluate/timing.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "core/cancel.h"

namespace fewshop {
namespace {

constexpr size_t kWarmUp = 200, kAdaptations = 1000;
constexpr size_t kRounds = 5;  // a task's time is the median of so many: other programs interrupt single ones

double microseconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count();
}

double percentile(std::vector<double>& values, double p) {
  const auto at = values.begin() + static_cast<int64_t>(p * static_cast<double>(values.size() - 1) + 0.5);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

}  // namespace

Timing measure_timing(const Model& model, std::span<const TimedTask> tasks) {
  Timing timing;
  if (tasks.empty()) return timing;
  const auto session = model.session();
  std::vector<float> score, variance;
  const auto time_one = [&](const TimedTask& task) {
    score.resize(task.query.size());
    variance.resize(task.query.size());
    const auto start = std::chrono::steady_clock::now();
    model.adapt_served({task.support, task.description}, *session);
    const double adapting = microseconds_since(start);
    const auto asked = std::chrono::steady_clock::now();
    model.score(*session, Model::kServed, task.query, score, variance);
    return std::pair{adapting, microseconds_since(asked) / static_cast<double>(task.query.size())};
  };
  for (size_t i = 0; i < kWarmUp; ++i) time_one(tasks[i % tasks.size()]);
  const size_t rounds = std::max(kRounds, (kAdaptations + tasks.size() - 1) / tasks.size());
  std::vector<double> adapting, predicting;
  for (const TimedTask& task : tasks) {
    check_cancelled();
    std::vector<double> adapt, predict;
    for (size_t r = 0; r < rounds; ++r) {
      const auto [a, p] = time_one(task);
      adapt.push_back(a);
      predict.push_back(p);
    }
    adapting.push_back(percentile(adapt, 0.5));
    predicting.push_back(percentile(predict, 0.5));
  }
  timing.adapt_us_p50 = percentile(adapting, 0.5);
  timing.adapt_us_p99 = percentile(adapting, 0.99);
  timing.predict_us = percentile(predicting, 0.5);
  return timing;
}

}  // namespace fewshop
