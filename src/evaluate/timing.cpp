#include "evaluate/timing.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "core/cancel.h"

namespace fewshop {
namespace {

constexpr size_t kWarmUp = 200, kAdaptations = 1000;
constexpr size_t kFewTasks = 50;  // that many are always timed; more while it takes no longer than this:
constexpr double kEnough = 10e6;  // microseconds
constexpr size_t kRounds = 5;     // a task's time is the median of so many: other programs interrupt single ones

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
  const auto session = model.session();
  std::vector<float> score, variance;
  return measure_timing(
      tasks.size(),
      [&](size_t i) {
        score.resize(tasks[i].query.size());
        variance.resize(tasks[i].query.size());
        model.adapt_served({tasks[i].support, tasks[i].description}, *session);
      },
      [&](size_t i) {
        model.score(*session, Model::kServed, tasks[i].query, score, variance);
        return tasks[i].query.size();
      });
}

Timing measure_timing(size_t tasks, const std::function<void(size_t)>& adapt_to,
                      const std::function<size_t(size_t)>& predict_of) {
  Timing timing;
  if (tasks == 0) return timing;
  const auto time_one = [&](size_t i) {
    const auto start = std::chrono::steady_clock::now();
    adapt_to(i);
    const double adapting = microseconds_since(start);
    const auto asked = std::chrono::steady_clock::now();
    const size_t rows = predict_of(i);
    return std::pair{adapting, microseconds_since(asked) / static_cast<double>(rows)};
  };
  const auto warming = std::chrono::steady_clock::now();
  for (size_t i = 0; i < kWarmUp && microseconds_since(warming) < kEnough; ++i) time_one(i % tasks);
  const size_t rounds = std::max(kRounds, (kAdaptations + tasks - 1) / tasks);
  std::vector<double> adapting, predicting;
  const auto begin = std::chrono::steady_clock::now();
  for (size_t i = 0; i < tasks && (i < kFewTasks || microseconds_since(begin) < kEnough); ++i) {
    check_cancelled();
    std::vector<double> adapt, predict;
    for (size_t r = 0; r < rounds; ++r) {
      const auto [a, p] = time_one(i);
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

double median_adapt_us(size_t tasks, const std::function<void(size_t)>& adapt) {
  if (tasks == 0) return 0;
  constexpr size_t kFew = 20;
  constexpr double kEnough = 2e6;  // microseconds
  std::vector<double> adapting;
  const auto begin = std::chrono::steady_clock::now();
  for (size_t i = 0; i < kFew + kAdaptations && (i < 2 * kFew || microseconds_since(begin) < kEnough); ++i) {
    check_cancelled();
    const auto start = std::chrono::steady_clock::now();
    adapt(i % tasks);
    if (i >= kFew) adapting.push_back(microseconds_since(start));
  }
  return percentile(adapting, 0.5);
}

}  // namespace fewshop
