// Adapting heads that take gradient steps to one task whose 20 feature vectors of 64 numbers are at hand.
//   us        median CPU microseconds of one adapt()
//   steps     gradient steps of it
// maml_head: a linear head of 1 or 5 outputs, 5 steps. cavia: a context of 8 numbers, 2 steps, concatenated in front of
// 64-64-1 (one hidden layer of 64) and of 64-64-64-1, and multiplicative.
#include <benchmark/benchmark.h>

#include <cmath>
#include <memory>
#include <vector>

#include "bench/measure.h"
#include "core/random.h"
#include "runtime/context_head.h"
#include "runtime/gradient_head.h"

namespace fewshop {
namespace {

constexpr int kTasks = 64, kChunk = 64, kRows = 20, kSize = 64, kContext = 8;

HeadLink link_of(int outputs) {
  HeadLink link;
  link.glm.family = outputs > 1 ? Family::kCategorical : Family::kGaussian;
  link.outputs = outputs;
  return link;
}

std::vector<float> numbers(size_t count, double deviation, Random& random) {
  std::vector<float> list(count);
  for (float& x : list) x = static_cast<float>(deviation * random.normal());
  return list;
}

StepTable table(int steps, int parts) {
  return {steps, parts, {1, 3, 10, 30, 100, 300}, std::vector<float>(static_cast<size_t>(steps) * parts * 6, -3.0F)};
}

std::unique_ptr<TaskHead> maml_head(int outputs) {
  Random random(1);
  return std::make_unique<GradientHead>(GradientHead::Arrays{
      link_of(outputs), kSize, 1, numbers(static_cast<size_t>(outputs) * (kSize + 1), 0.1, random), table(5, 2), {}});
}

std::unique_ptr<TaskHead> cavia(int hidden_layers) {
  Random random(2);
  ContextHead::Arrays a;
  a.link = link_of(1);
  a.multiplicative = hidden_layers == 0;
  for (int l = 0; l <= hidden_layers; ++l) {
    const int outputs = l == hidden_layers ? 1 : kSize;
    a.layers.push_back(
        {kSize, outputs, numbers(static_cast<size_t>(outputs) * kSize, 0.15, random), numbers(outputs, 0.1, random)});
  }
  a.context = kContext;
  a.weight = numbers(static_cast<size_t>(kSize) * kContext, 0.3, random);
  if (a.multiplicative) {
    a.gain.assign(kSize, 1.0F);
    a.shift = numbers(static_cast<size_t>(kSize) * kContext, 0.3, random);
  }
  a.steps = table(2, 1);
  return std::make_unique<ContextHead>(std::move(a));
}

void adapt_one_task(benchmark::State& state, const std::unique_ptr<TaskHead>& head, int classes, int steps) {
  Random random(3);
  std::vector<std::vector<float>> x(kTasks), y(kTasks);
  const std::vector<float> weight(kRows, 1.0F);
  for (int u = 0; u < kTasks; ++u) {
    x[u] = numbers(static_cast<size_t>(kRows) * kSize, 1 / std::sqrt(kSize), random);
    for (int s = 0; s < kRows; ++s)
      y[u].push_back(classes > 1 ? static_cast<float>(s % classes) : static_cast<float>(random.normal()));
  }
  const auto workspace = head->workspace();
  bench::Chunks chunks;
  int task = 0;
  for (auto _ : state)
    state.SetIterationTime(chunks.time(kChunk, [&] {
      task = (task + 1) % kTasks;
      head->adapt({x[task], y[task], weight, {}}, {}, *workspace);
      benchmark::ClobberMemory();
    }));
  state.counters["us"] = 1e6 * chunks.median();
  state.counters["steps"] = steps;
}

void MamlHead(benchmark::State& state) {
  const int outputs = static_cast<int>(state.range(0));
  adapt_one_task(state, maml_head(outputs), outputs, 5);
}
BENCHMARK(MamlHead)->ArgName("outputs")->Arg(1)->Arg(5)->UseManualTime();

void CaviaConcatenated(benchmark::State& state) {
  adapt_one_task(state, cavia(static_cast<int>(state.range(0))), 1, 2);
}
BENCHMARK(CaviaConcatenated)->ArgName("hidden_layers")->Arg(1)->Arg(2)->UseManualTime();

void CaviaMultiplicative(benchmark::State& state) { adapt_one_task(state, cavia(0), 1, 2); }
BENCHMARK(CaviaMultiplicative)->UseManualTime();

}  // namespace
}  // namespace fewshop
