// Exact top 100 of 1,000,000 items, d = 64, one thread, beside reading the float vectors once, in the same run and in
// turns.
//   ms        median CPU milliseconds of one search over several queries
//   read_ms   the same of one pass over the float vectors (a sum of their words)
//   ratio     ms / read_ms
#include <benchmark/benchmark.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "bench/measure.h"
#include "core/random.h"
#include "runtime/search.h"

namespace fewshop {
namespace {

constexpr int64_t kItems = 1'000'000;
constexpr int kDimension = 64, kWanted = 100, kQueries = 16;

const std::vector<float>& vectors() {
  static const std::vector<float> all = [] {
    Random random(1);
    std::vector<float> values(kItems * kDimension);
    for (float& x : values) x = static_cast<float>(random.normal());
    return values;
  }();
  return all;
}

uint32_t read_once(const std::vector<float>& values) {
  uint32_t sum = 0;
  for (const float& x : values) {
    uint32_t word;
    std::memcpy(&word, &x, sizeof(word));
    sum += word;
  }
  return sum;
}

void top_100_of_a_million(benchmark::State& state) {
  ItemSearch search(state.range(0) != 0);
  std::vector<float> bias(kItems), queries(kQueries * kDimension);
  Random random(2);
  for (float& x : bias) x = static_cast<float>(random.normal());
  for (float& x : queries) x = static_cast<float>(random.normal());
  search.assign(vectors().data(), kDimension, kItems, kDimension, bias.data());
  ItemSearch::Buffers buffers;
  std::vector<ItemSearch::Hit> found;
  bench::Chunks ours, read;
  int query = 0;
  for (auto _ : state) {
    state.SetIterationTime(ours.time(1, [&] {
      query = (query + 1) % kQueries;
      search.top(queries.data() + query * kDimension, kWanted, {}, buffers, found);
      benchmark::DoNotOptimize(found.data());
    }));
    read.time(1, [&] { benchmark::DoNotOptimize(read_once(vectors())); });
  }
  state.counters["ms"] = 1e3 * ours.median();
  state.counters["read_ms"] = 1e3 * read.median();
  state.counters["ratio"] = ours.median() / read.median();
}
BENCHMARK(top_100_of_a_million)
    ->ArgName("codes")
    ->Arg(0)
    ->Arg(1)
    ->Iterations(100)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace fewshop
