#include "evaluate/timing.h"

#include <algorithm>
#include <chrono>

#include "core/cancel.h"

namespace fewshop {
namespace {

constexpr size_t kWarmUp = 200, kAdaptations = 1000;

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
  std::vector<double> adapting, predicting;
  const size_t rounds = kWarmUp + std::max(kAdaptations, tasks.size());
  for (size_t i = 0; i < rounds; ++i) {
    check_cancelled();
    const TimedTask& task = tasks[i % tasks.size()];
    score.resize(task.query.size());
    variance.resize(task.query.size());
    const auto start = std::chrono::steady_clock::now();
    model.adapt_served({task.support, task.description}, *session);
    const double adapted = microseconds_since(start);
    const auto asked = std::chrono::steady_clock::now();
    model.score(*session, Model::kServed, task.query, score, variance);
    const double predicted = microseconds_since(asked) / static_cast<double>(task.query.size());
    if (i < kWarmUp) continue;
    adapting.push_back(adapted);
    predicting.push_back(predicted);
  }
  timing.adapt_us_p50 = percentile(adapting, 0.5);
  timing.adapt_us_p99 = percentile(adapting, 0.99);
  timing.predict_us = percentile(predicting, 0.5);
  return timing;
}

}  // namespace fewshop
