// Several queries in one pass over the 8-bit codes (ItemSearch::top of several) beside the same queries one after the
// other, in turns: the whole search for the 500 best, choosing and exact scores included.
//   single_us, shared_us   median CPU microseconds for all queries
//   ratio                  shared / single
#include <benchmark/benchmark.h>

#include <vector>

#include "bench/measure.h"
#include "core/random.h"
#include "runtime/search.h"

namespace fewshop {
namespace {

constexpr int kDimension = 64, kWanted = 500;

void queries_together(benchmark::State& state) {
  const int64_t items = state.range(0), queries = state.range(1);
  Random random(1);
  std::vector<float> vectors(items * kDimension), heads(queries * kDimension), bias(items);
  for (auto* values : {&vectors, &heads, &bias})
    for (float& x : *values) x = static_cast<float>(random.normal());
  ItemSearch search;
  search.assign(vectors.data(), kDimension, items, kDimension, bias.data());
  const ItemSet none;
  std::vector<ItemSearch::Buffers> buffers(queries);
  std::vector<std::vector<ItemSearch::Hit>> together(queries), alone(queries);
  std::vector<ItemSearch::Query> asked;
  for (int64_t q = 0; q < queries; ++q)
    asked.push_back({heads.data() + q * kDimension, kWanted, &none, &buffers[q], &together[q]});
  bench::Chunks single, shared;
  for (auto _ : state) {
    single.time(1, [&] {
      for (int64_t q = 0; q < queries; ++q) search.top(asked[q].vector, kWanted, none, buffers[q], alone[q]);
    });
    state.SetIterationTime(shared.time(1, [&] { search.top(asked); }));
    if (together != alone) state.SkipWithError("the two disagree");
  }
  state.counters["single_us"] = 1e6 * single.median();
  state.counters["shared_us"] = 1e6 * shared.median();
  state.counters["ratio"] = shared.median() / single.median();
}
BENCHMARK(queries_together)
    ->ArgNames({"items", "queries"})
    ->ArgsProduct({{20'000, 50'000, 100'000, 1'000'000}, {2, 4}})
    ->Iterations(100)
    ->UseManualTime()
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace fewshop
