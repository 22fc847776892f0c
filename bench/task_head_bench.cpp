// Adapting the heads of protonet, ridge and bayes to one task whose feature vectors are at hand, beside the bare Eigen
// solve of the same size, in the same run and in turns.
//   us          median CPU microseconds of one adapt()
//   eigen_us    the same for Eigen's dual solve in float: Gram matrix, LLT, weights; fixed sizes, no constant, one
//   target ratio       us / eigen_us
#include <benchmark/benchmark.h>

#include <Eigen/Dense>
#include <cmath>
#include <memory>
#include <vector>

#include "bench/measure.h"
#include "core/random.h"
#include "runtime/bayes_head.h"
#include "runtime/prototype_head.h"
#include "runtime/ridge_head.h"

namespace fewshop {
namespace {

constexpr int kTasks = 64, kChunk = 64, kRows = 20, kSize = 64;

HeadLink link_of(Family family, int classes) {
  HeadLink link;
  link.glm.family = family;
  link.outputs = family == Family::kCategorical ? classes : 1;
  return link;
}

std::unique_ptr<TaskHead> ridge(Family family, int classes) {
  const HeadLink link = link_of(family, classes);
  return std::make_unique<RidgeHead>(
      RidgeHead::Arrays{link, kSize, 1, 2, 1, std::vector<double>(static_cast<size_t>(link.outputs), 0.1)});
}

std::unique_ptr<TaskHead> prototypes(int classes) {
  PrototypeHead::Arrays a;
  a.binary = classes == 2;
  a.classes = classes;
  a.size = kSize;
  a.prototypes.assign(static_cast<size_t>(classes) * kSize, 0.1F);
  a.frequency = 1;
  a.count.assign(classes, 1.0);
  return std::make_unique<PrototypeHead>(std::move(a));
}

std::unique_ptr<TaskHead> bayes(Family family, int classes) {
  BayesHead::Arrays a;
  a.link = link_of(family, classes);
  a.size = kSize;
  a.mean.assign(static_cast<size_t>(a.link.outputs) * kSize, 0.1F);
  a.bias.assign(a.link.outputs, 0.1F);
  a.factor.assign((kSize + 1) * (kSize + 1), 0.0F);
  for (int i = 0; i <= kSize; ++i) a.factor[i * (kSize + 2)] = 0.2F;
  return std::make_unique<BayesHead>(std::move(a));
}

void adapt_one_task(benchmark::State& state, const std::unique_ptr<TaskHead>& head, int classes) {
  Random random(1);
  using Phi = Eigen::Matrix<float, kRows, kSize, Eigen::RowMajor>;
  std::vector<Phi> phi(kTasks);
  std::vector<Eigen::Matrix<float, kRows, 1>> target(kTasks), noise(kTasks);
  std::vector<std::vector<float>> x(kTasks), y(kTasks), weight(kTasks);
  for (int u = 0; u < kTasks; ++u)
    for (int s = 0; s < kRows; ++s) {
      for (int j = 0; j < kSize; ++j)
        x[u].push_back(phi[u](s, j) = static_cast<float>(random.normal() / std::sqrt(kSize)));
      y[u].push_back(classes > 0 ? static_cast<float>(s % classes) : static_cast<float>(random.normal()));
      weight[u].push_back(1);
      target[u][s] = y[u][s];
      noise[u][s] = 1;
    }
  const auto workspace = head->workspace();
  Eigen::Matrix<float, kSize, 1> weights;
  bench::Chunks ours, eigen;
  int task = 0;
  for (auto _ : state) {
    state.SetIterationTime(ours.time(kChunk, [&] {
      task = (task + 1) % kTasks;
      head->adapt({x[task], y[task], weight[task], {}}, {}, *workspace);
      benchmark::ClobberMemory();
    }));
    eigen.time(kChunk, [&] {
      task = (task + 1) % kTasks;
      Eigen::Matrix<float, kRows, kRows> gram;
      gram.noalias() = phi[task] * phi[task].transpose();
      gram.diagonal() += noise[task];
      const Eigen::LLT<Eigen::Ref<Eigen::Matrix<float, kRows, kRows>>> factor(gram);
      weights.noalias() = phi[task].transpose() * factor.solve(target[task]);
      benchmark::DoNotOptimize(weights.data());
    });
  }
  state.counters["us"] = 1e6 * ours.median();
  state.counters["eigen_us"] = 1e6 * eigen.median();
  state.counters["ratio"] = ours.median() / eigen.median();
}

/// name, head, classes of the targets (0 = numbers)
#define FEWSHOP_HEAD(name, head, classes)                                      \
  void name(benchmark::State& state) { adapt_one_task(state, head, classes); } \
  BENCHMARK(name)->UseManualTime()->Unit(benchmark::kMicrosecond)->Name("adapt_" #name "/rows:20/d:64")
FEWSHOP_HEAD(protonet_2_classes, prototypes(2), 2);
FEWSHOP_HEAD(protonet_5_classes, prototypes(5), 5);
FEWSHOP_HEAD(ridge_regression, ridge(Family::kGaussian, 0), 0);
FEWSHOP_HEAD(ridge_binary, ridge(Family::kBernoulli, 2), 2);
FEWSHOP_HEAD(ridge_5_classes, ridge(Family::kCategorical, 5), 5);
FEWSHOP_HEAD(bayes_regression, bayes(Family::kGaussian, 0), 0);
FEWSHOP_HEAD(bayes_binary, bayes(Family::kBernoulli, 2), 2);
FEWSHOP_HEAD(bayes_counts, bayes(Family::kPoisson, 3), 3);
FEWSHOP_HEAD(bayes_5_classes, bayes(Family::kCategorical, 5), 5);

}  // namespace
}  // namespace fewshop
