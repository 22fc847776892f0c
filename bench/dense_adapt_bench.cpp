// Adapting one new user at serving time: plain arrays, no libtorch, no allocation. 256-64-64-1 (the decision layers of
// MeLU), 20 events, 5 steps, then 10 query rows.
//   us   median CPU microseconds of one user
// bench/peers/maml.py --shape melu --adapt is the same in PyTorch; scripts/bench-peers runs both in turns.
#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "bench/measure.h"
#include "core/random.h"
#include "runtime/dense/dense_task.h"

namespace fewshop {
namespace {

constexpr int64_t kSizes[] = {256, 64, 64, 1};
constexpr int kLayers = 3, kSteps = 5, kEvents = 20, kQuery = 10, kUsers = 64, kChunk = 16;

std::vector<float> normal(int64_t n, double deviation, uint64_t seed) {
  Random random(seed);
  std::vector<float> values(n);
  for (float& x : values) x = static_cast<float>(deviation * random.normal());
  return values;
}

dense::DenseModel<float> model(bool head_only) {
  const std::vector<float> steps(kSteps, 0.01F), log_half{std::log(0.5F)};
  std::vector<std::vector<float>> weights;
  std::vector<const float*> pointers;
  std::vector<dense::StepSizes<float>> sizes;
  for (int l = 0; l < kLayers; ++l) {
    weights.push_back(normal(kSizes[l] * kSizes[l + 1], 1 / std::sqrt(static_cast<double>(kSizes[l])), l));
    weights.emplace_back(kSizes[l + 1], 0.F);
    const bool adapts = !head_only || l + 1 == kLayers;
    for (int i = 0; i < 2; ++i)
      sizes.push_back({adapts ? std::span<const float>(steps) : std::span<const float>(), false});
  }
  for (const auto& w : weights) pointers.push_back(w.data());
  return {kSizes, false, kSteps, Family::kGaussian, log_half, pointers, sizes};
}

void adapt_one_user(benchmark::State& state, bool head_only) {
  const auto network = model(head_only);
  const auto x = normal(kUsers * kEvents * kSizes[0], 1, 10), y = normal(kUsers * kEvents, 1, 11),
             x_query = normal(kUsers * kQuery * kSizes[0], 1, 12);
  const std::vector<float> weight(kEvents, 1.F / kEvents);
  dense::DenseTask<float> task;
  dense::AlignedBuffer<float> memory;
  bench::Chunks chunks;
  int user = 0;
  for (auto _ : state)
    state.SetIterationTime(chunks.time(kChunk, [&] {
      user = (user + 1) % kUsers;
      task.place(memory.grow(task.shape(network, kEvents, kQuery, false)));
      task.adapt({x.data() + user * kEvents * kSizes[0], y.data() + user * kEvents, weight.data()});
      benchmark::DoNotOptimize(task.predict(x_query.data() + user * kQuery * kSizes[0]));
    }));
  state.counters["us"] = 1e6 * chunks.median();
}

BENCHMARK_CAPTURE(adapt_one_user, all_layers, false)->UseManualTime()->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(adapt_one_user, head_only, true)->UseManualTime()->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace fewshop
