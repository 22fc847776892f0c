#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/autograd.h>

#include <cmath>
#include <map>

#include "core/error.h"
#include "learner/episodic_support.h"
#include "learner/learned_optimizer.h"

namespace fewshop::learning {
namespace {

using fewshop::testing::EpisodeShape;
using fewshop::testing::problem_of;
using fewshop::testing::random_batch;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

const nlohmann::json kLinear{{"name", "linear"}};

using Values = std::map<std::string, Tensor>;

Values values(const EpisodicModel& model) {
  Values all;
  for (const auto& p : model.parameters()) all[p.name] = p.value.detach().clone();
  return all;
}

/// Logistic regression on 2 numbers with the learned optimizer, one task, written out number by number. A window starts
/// from `w` and the memories in `h`, `c`, and is given the gradients it is to see, or computes and records them.
struct Naive {
  const Batch& batch;
  int hidden;

  struct State {
    std::vector<double> w;                        // 2 weights, 1 bias
    std::vector<std::vector<double>> h[2], c[2];  // [coordinate][hidden]
  };

  State start(const Values& p) const {
    State s;
    const Tensor weight = p.at("network.head.weight"), bias = p.at("network.head.bias");
    s.w = {weight[0][0].item<double>(), weight[0][1].item<double>(), bias[0].item<double>()};
    for (int layer = 0; layer < 2; ++layer)
      s.h[layer] = s.c[layer] = std::vector<std::vector<double>>(3, std::vector<double>(hidden, 0));
    return s;
  }

  static double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

  double logit(const Rows& rows, int64_t row, const std::vector<double>& w) const {
    const Tensor x = rows.x.numbers[0][row];
    return w[0] * x[0].item<double>() + w[1] * x[1].item<double>() + w[2] + rows.offset[0][row].item<double>();
  }

  std::vector<double> support_gradient(const std::vector<double>& w) const {
    std::vector<double> g(3, 0);
    double total = 0;
    const Rows& s = batch.support;
    for (int64_t row = 0; row < s.mask.size(1); ++row) {
      const double importance = (s.mask[0][row] * s.weight[0][row]).item<double>();
      const double error = sigmoid(logit(s, row, w)) - s.target[0][row].item<double>();
      const Tensor x = s.x.numbers[0][row];
      for (int j = 0; j < 3; ++j) g[j] += importance * error * (j < 2 ? x[j].item<double>() : 1);
      total += importance;
    }
    for (double& x : g) x /= total;
    return g;
  }

  double query_loss(const std::vector<double>& w) const {
    double loss = 0, total = 0;
    const Rows& q = batch.query;
    for (int64_t row = 0; row < q.mask.size(1); ++row) {
      const double f = logit(q, row, w), importance = (q.mask[0][row] * q.weight[0][row]).item<double>();
      loss += importance * (std::log1p(std::exp(f)) - q.target[0][row].item<double>() * f);
      total += importance;
    }
    return loss / total;
  }

  /// `seen`: gradients of each step; empty = compute, and write them there.
  void advance(State& s, const Values& p, int steps, std::vector<std::vector<double>>& seen) const {
    const bool record = seen.empty();
    for (int step = 0; step < steps; ++step) {
      if (record) seen.push_back(support_gradient(s.w));
      for (int j = 0; j < 3; ++j) {
        const double g = seen[step][j];
        std::vector<double> input = std::abs(g) >= std::exp(-10.0)
                                        ? std::vector<double>{std::log(std::abs(g)) / 10, g > 0 ? 1.0 : -1.0}
                                        : std::vector<double>{-1, std::exp(10.0) * g};
        for (int layer = 0; layer < 2; ++layer) {
          const Tensor weight = p.at("optimizer.lstm." + std::to_string(layer) + ".weight"),
                       bias = p.at("optimizer.lstm." + std::to_string(layer) + ".bias");
          std::vector<double> row = input;
          row.insert(row.end(), s.h[layer][j].begin(), s.h[layer][j].end());
          const auto gate = [&](int which, int unit) {
            const int r = which * hidden + unit;
            double sum = bias[r].item<double>();
            for (size_t i = 0; i < row.size(); ++i) sum += weight[r][static_cast<int64_t>(i)].item<double>() * row[i];
            return sum;
          };
          std::vector<double> h(hidden), c(hidden);
          for (int u = 0; u < hidden; ++u) {
            c[u] = sigmoid(gate(1, u)) * s.c[layer][j][u] + sigmoid(gate(0, u)) * std::tanh(gate(2, u));
            h[u] = sigmoid(gate(3, u)) * std::tanh(c[u]);
          }
          s.h[layer][j] = h;
          s.c[layer][j] = c;
          input = h;
        }
        double out = 0;
        for (int u = 0; u < hidden; ++u) out += p.at("optimizer.out")[u].item<double>() * input[u];
        s.w[j] += std::exp(p.at("optimizer.log_scale").item<double>()) * std::tanh(out);
      }
    }
  }
};

TEST(LearnedOptimizer, OuterGradientIsThatOfTheTruncatedFormula) {
  constexpr int kWindows = 3, kTruncation = 2, kHidden = 2;
  const EpisodeShape shape{.tasks = 1, .support = 4, .query = 3, .numbers = 2};
  const Batch batch = random_batch(Family::kBernoulli, shape, Random(7));
  const LearnedOptimizer model(
      {.adapts = "head", .steps = kWindows * kTruncation, .truncation = kTruncation, .hidden = kHidden, .order = 1},
      kLinear, problem_of(Family::kBernoulli, shape), Random(8));
  const Values base = values(model);
  // Where each window starts, and which gradients it sees, with the parameters as they are: constants of the formula.
  const Naive naive{batch, kHidden};
  std::vector<Naive::State> starts{naive.start(base)};
  std::vector<std::vector<std::vector<double>>> gradients(kWindows);
  for (int v = 0; v < kWindows; ++v) {
    Naive::State state = starts.back();
    naive.advance(state, base, kTruncation, gradients[v]);
    starts.push_back(state);
  }
  const auto formula = [&](const Values& p) {
    double total = 0;
    for (int v = 0; v < kWindows; ++v) {
      Naive::State state = v == 0 ? naive.start(p) : starts[v];
      naive.advance(state, p, kTruncation, gradients[v]);
      total += naive.query_loss(state.w);
    }
    return total / kWindows;
  };
  const Tensor loss = model.query_loss(batch, Random(1));
  EXPECT_NEAR(loss.item<double>(), formula(base), 1e-12);
  std::vector<Tensor> leaves;
  for (const auto& p : model.parameters()) leaves.push_back(p.value);
  const auto gradient = torch::autograd::grad({loss}, leaves, {}, false, false, true);
  for (size_t i = 0; i < leaves.size(); ++i) {
    const std::string name = model.parameters()[i].name;
    for (int64_t j = 0; j < leaves[i].numel(); ++j) {
      const auto at_distance = [&](double h) {
        Values p = base;
        p[name] = base.at(name).clone();
        p[name].data_ptr<double>()[j] += h;
        return formula(p);
      };
      const double numeric = (at_distance(1e-5) - at_distance(-1e-5)) / 2e-5;
      const double exact = gradient[i].defined() ? gradient[i].view(-1)[j].item<double>() : 0;
      EXPECT_NEAR(exact, numeric, 1e-8) << name << " " << j;
    }
  }
}

TEST(LearnedOptimizer, UnrollsFiveTimesLongerThanTrainedStayFiniteAndBounded) {
  const EpisodeShape shape{.tasks = 3, .support = 5, .query = 2, .numbers = 2};
  const auto problem = problem_of(Family::kPoisson, shape);  // the exponential makes the loss explode most easily
  const LearnedOptimizerOptions longer{.adapts = "decision", .steps = 50, .truncation = 5, .hidden = 4};
  const LearnedOptimizer model(longer, {{"name", "mlp"}, {"hidden", "6"}}, problem, Random(1));
  // Trained to go astray: every weight of the rule is ten times what it starts from.
  Tensor scale;
  for (const auto& p : model.parameters()) {
    at::NoGradGuard no_grad;
    if (p.name.starts_with("optimizer.") && p.name != "optimizer.log_scale") p.value.mul_(10);
    if (p.name == "optimizer.log_scale") scale = p.value.exp();
  }
  const Batch b = random_batch(Family::kPoisson, shape, Random(2));
  const Adapted state = model.adapt(b.support, b.task);
  size_t i = 0;
  for (const auto& p : model.parameters()) {
    if (!p.name.starts_with("network.")) continue;
    const Tensor moved = (state.at("fast." + std::to_string(i++)) - p.value).abs().max();
    EXPECT_LE(moved.item<double>(), longer.steps * scale.item<double>() + 1e-9) << p.name;
  }
  EXPECT_TRUE(std::isfinite(model.query_loss(b, Random(1)).item<double>()));
}

TEST(LearnedOptimizer, WithoutStepsTheStartAnswers) {
  const EpisodeShape shape;
  const LearnedOptimizer model({.steps = 0}, kLinear, problem_of(Family::kGaussian, shape), Random(1));
  Batch b = random_batch(Family::kGaussian, shape, Random(2));
  const Tensor before = model.predict(model.adapt(b.support, b.task), b.query).mean();
  b.support.target = b.support.target + 5;
  EXPECT_TRUE(at::equal(model.predict(model.adapt(b.support, b.task), b.query).mean(), before));
}

TEST(LearnedOptimizer, ReadsGradientsOfEverySizeByLogarithmAndSign) {
  const Tensor g = at::tensor(std::vector<double>{1, -std::exp(-5.0), 0, std::exp(-12.0)}, at::kDouble);
  const Tensor read = preprocessed_gradient(g);
  const std::vector<double> expected{0, 1, -0.5, -1, -1, 0, -1, std::exp(-2.0)};
  for (int64_t i = 0; i < 8; ++i) EXPECT_NEAR(read.view(-1)[i].item<double>(), expected[i], 1e-12) << i;
}

TEST(LearnedOptimizer, RefusesAMemoryForEveryNumberOfEmbeddings) {
  EXPECT_THAT(([] { LearnedOptimizer({.adapts = "all"}, kLinear, problem_of(Family::kGaussian, {}), Random(1)); }),
              ThrowsMessage<InvalidInput>(HasSubstr("expected head or decision, got all")));
}

}  // namespace
}  // namespace fewshop::learning
