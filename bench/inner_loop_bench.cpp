// One step of the outer loop of MAML over 32 tasks: 5 inner steps, gradients, Adam; everything in float.
//
//   us_per_task, tasks_per_s   median CPU time of one thread
//   share                      of the machine's matrix-multiply rate, measured in turns with it
//
// two_threads/...: two threads beside one, in turns with matrix products of the machine's own on one and two threads.
//
//   threads, products, ratio   how many times faster two are by the clock, from the fastest tenth of the runs (other
//                              programs take cores away): of the step; of the products; the first by the second
//   gflops_1, gflops_2         of the products, by the clock
//   cpu, products_cpu          CPU time of one thread by that of two together, medians: 1 = nothing is lost to waiting
//                              for memory, locks or pages; says what the clock cannot where other programs run
//
// bench/peers has the same work in PyTorch; scripts/bench-peers runs both in turns.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <vector>

#include "bench/inner_loop_problems.h"
#include "bench/measure.h"
#include "bench/threads.h"
#include "nn/buffer_pool.h"

namespace fewshop {
namespace {

using bench::TrainingProblem;

constexpr int kProducts = 4;

void train(benchmark::State& state, TrainingProblem (*problem)(int)) {
  nn::keep_freed_memory();
  bench::TrainingStep step(problem(static_cast<int>(state.range(0))));
  bench::MatrixProducts products(1);
  bench::Chunks ours, machine;
  step.run(1);
  products.run(kProducts, 1);
  for (auto _ : state) {
    state.SetIterationTime(ours.time(1, [&] { step.run(1); }));
    machine.time(1, [&] { products.run(kProducts, 1); });
  }
  const double rate = kProducts * bench::MatrixProducts::kFlops / machine.median();
  state.counters["us_per_task"] = 1e6 * ours.median() / bench::kTasks;
  state.counters["tasks_per_s"] = bench::kTasks / ours.median();
  state.counters["gflops_of_machine"] = 1e-9 * rate;
  state.counters["share"] = step.flops() / ours.median() / rate;
}

/// Times of many calls, by the clock and in CPU time of all threads.
class Runs {
 public:
  void time(const std::function<void()>& call) {
    const double cpu = process_cpu_seconds();
    const auto begin = std::chrono::steady_clock::now();
    call();
    clock_.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    cpu_.push_back(process_cpu_seconds() - cpu);
  }
  double fastest_tenth() { return rank(clock_, clock_.size() / 10); }
  double median_cpu() { return rank(cpu_, cpu_.size() / 2); }

 private:
  static double rank(std::vector<double>& values, size_t at) {
    const auto middle = values.begin() + static_cast<long>(at);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
  }
  std::vector<double> clock_, cpu_;
};

void two_threads(benchmark::State& state, TrainingProblem (*problem)(int)) {
  nn::keep_freed_memory();
  bench::TrainingStep step(problem(static_cast<int>(state.range(0))));
  bench::MatrixProducts products(2);
  Runs ours[2], machine[2];
  for (const int threads : {1, 2}) step.run(threads);
  for (auto _ : state)
    for (const int threads : {1, 2}) {
      ours[threads - 1].time([&] { step.run(threads); });
      machine[threads - 1].time([&] { products.run(8 * kProducts, threads); });
    }
  const double faster = ours[0].fastest_tenth() / ours[1].fastest_tenth(),
               possible = machine[0].fastest_tenth() / machine[1].fastest_tenth();
  state.counters["threads"] = faster;
  state.counters["products"] = possible;
  state.counters["ratio"] = faster / possible;
  state.counters["cpu"] = ours[0].median_cpu() / ours[1].median_cpu();
  state.counters["products_cpu"] = machine[0].median_cpu() / machine[1].median_cpu();
  const double flops = 8 * kProducts * bench::MatrixProducts::kFlops;
  state.counters["gflops_1"] = 1e-9 * flops / machine[0].fastest_tenth();
  state.counters["gflops_2"] = 1e-9 * flops / machine[1].fastest_tenth();
}

#define FEWSHOP_TRAIN(problem)                            \
  BENCHMARK_CAPTURE(train, problem, bench::problem)       \
      ->Arg(1)                                            \
      ->Arg(2)                                            \
      ->ArgName("order")                                  \
      ->UseManualTime()                                   \
      ->Unit(benchmark::kMillisecond);                    \
  BENCHMARK_CAPTURE(two_threads, problem, bench::problem) \
      ->Arg(1)                                            \
      ->Arg(2)                                            \
      ->ArgName("order")                                  \
      ->UseRealTime()                                     \
      ->Unit(benchmark::kMillisecond)
FEWSHOP_TRAIN(few_shot);
FEWSHOP_TRAIN(melu_layers);
FEWSHOP_TRAIN(melu_whole);

}  // namespace
}  // namespace fewshop
