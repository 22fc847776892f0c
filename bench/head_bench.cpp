// Adapting one task: HeadPosterior beside the bare Eigen solve of the same size, in the same run and in turns.
//   us          median CPU microseconds of one solve() over many users (item vectors gathered from a table)
//   eigen_us    the same for Eigen's dual solve in float: Gram matrix, LLT, weights; fixed sizes, vectors already
//               gathered into one matrix, no mean
//   ratio       us / eigen_us
#include <benchmark/benchmark.h>

#include <Eigen/Dense>
#include <cmath>
#include <vector>

#include "bench/measure.h"
#include "core/random.h"
#include "runtime/head.h"

namespace fewshop {
namespace {

constexpr int kUsers = 64, kItems = 4000, kChunk = 64;

template <int S, int D>
void adapt_one_task(benchmark::State& state) {
  Random random(1);
  std::vector<float> vectors(kItems * D), mean(D);
  for (float& x : vectors) x = static_cast<float>(random.normal() / std::sqrt(D));
  for (float& x : mean) x = static_cast<float>(random.normal());
  std::vector<std::vector<int32_t>> rows(kUsers);
  std::vector<std::vector<float>> y(kUsers), beta(kUsers);
  using Phi = Eigen::Matrix<float, S, D, Eigen::RowMajor>;
  std::vector<Phi> phi(kUsers);
  std::vector<Eigen::Matrix<float, S, 1>> target(kUsers), noise(kUsers);
  for (int u = 0; u < kUsers; ++u) {
    for (int s = 0; s < S; ++s) {
      rows[u].push_back(static_cast<int32_t>(random.below(kItems)));
      y[u].push_back(static_cast<float>(random.normal()));
      beta[u].push_back(1 + static_cast<float>(random.uniform()));
      for (int j = 0; j < D; ++j) phi[u](s, j) = vectors[rows[u][s] * D + j];
      target[u][s] = y[u][s];
      noise[u][s] = 1 / beta[u][s];
    }
  }
  HeadPosterior head;
  Eigen::Matrix<float, D, 1> weights;
  bench::Chunks ours, eigen;
  int user = 0;
  for (auto _ : state) {
    state.SetIterationTime(ours.time(kChunk, [&] {
      user = (user + 1) % kUsers;
      head.solve(vectors.data(), D, D, rows[user], y[user], beta[user], mean);
      benchmark::DoNotOptimize(head.weights().data());
    }));
    eigen.time(kChunk, [&] {
      user = (user + 1) % kUsers;
      Eigen::Matrix<float, S, S> gram;
      gram.noalias() = phi[user] * phi[user].transpose();
      gram.diagonal() += noise[user];
      const Eigen::LLT<Eigen::Ref<Eigen::Matrix<float, S, S>>> factor(gram);
      weights.noalias() = phi[user].transpose() * factor.solve(target[user]);
      benchmark::DoNotOptimize(weights.data());
    });
  }
  state.counters["us"] = 1e6 * ours.median();
  state.counters["eigen_us"] = 1e6 * eigen.median();
  state.counters["ratio"] = ours.median() / eigen.median();
}

#define FEWSHOP_ADAPT(S, D)           \
  BENCHMARK(adapt_one_task<S, D>)     \
      ->UseManualTime()               \
      ->Unit(benchmark::kMicrosecond) \
      ->Name("adapt_one_task/rows:" #S "/d:" #D)
FEWSHOP_ADAPT(5, 16);
FEWSHOP_ADAPT(20, 16);
FEWSHOP_ADAPT(100, 16);
FEWSHOP_ADAPT(5, 32);
FEWSHOP_ADAPT(20, 32);
FEWSHOP_ADAPT(100, 32);
FEWSHOP_ADAPT(5, 64);
FEWSHOP_ADAPT(20, 64);
FEWSHOP_ADAPT(100, 64);

}  // namespace
}  // namespace fewshop
