#include "nn/dense_inner_loop.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/autograd.h>

#include <cmath>
#include <functional>
#include <string>

#include <fmt/format.h>

#include "core/error.h"
#include "learner/likelihood.h"

namespace fewshop::nn {
namespace {

using at::Tensor;

constexpr int64_t kTasks = 3, kSupport = 7, kQuery = 4;

Tensor random_tensor(at::IntArrayRef shape, uint64_t seed, at::ScalarType type = at::kDouble) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return at::randn(shape, generator, at::TensorOptions(at::kDouble)).to(type);
}

struct Problem {
  DenseInnerLoop loop;
  DenseParameters parameters;
  DenseRows support, query;

  std::vector<Tensor*> arguments() {
    std::vector<Tensor*> all;
    for (auto& t : parameters.initial) all.push_back(&t);
    for (auto& t : parameters.step_size)
      if (t.defined()) all.push_back(&t);
    if (parameters.beside.defined()) all.push_back(&parameters.beside);
    if (parameters.step_factor.defined()) all.push_back(&parameters.step_factor);
    all.push_back(&support.x);
    all.push_back(&query.x);
    return all;
  }
  std::vector<Tensor> leaves() {
    std::vector<Tensor> all;
    for (Tensor* t : arguments()) all.push_back(*t = t->detach().clone().set_requires_grad(true));
    return all;
  }
};

enum class Steps { kNumber, kPerCoordinate };
enum class Adapts { kAll, kHead, kBody };

Tensor targets_of(Family family, at::IntArrayRef shape, uint64_t seed) {
  const Tensor normal = random_tensor(shape, seed);
  if (family == Family::kGaussian) return normal;
  if (family == Family::kScores || family == Family::kBernoulli) return normal.gt(0).to(at::kDouble);
  if (family == Family::kPoisson || family == Family::kNegativeBinomial) return (normal.exp()).floor();
  return ((normal + 1.2).clamp(0, 2.9)).floor();  // three classes
}

Problem make_problem(Family family, Steps steps, Adapts adapts, std::vector<int64_t> hidden = {6, 5}, int count = 3,
                     int64_t inputs = 9) {
  Problem p;
  p.loop = {{inputs}, true, count, 2, 1, family};
  p.loop.sizes.insert(p.loop.sizes.end(), hidden.begin(), hidden.end());
  p.loop.sizes.push_back(family == Family::kCategorical ? 3 : 1);
  const size_t layers = p.loop.sizes.size() - 1;
  for (size_t l = 0; l < layers; ++l) {
    const int64_t in = p.loop.sizes[l], out = p.loop.sizes[l + 1];
    p.parameters.initial.push_back(random_tensor({out, in}, 10 + l) / std::sqrt(static_cast<double>(in)));
    p.parameters.initial.push_back(0.3 * random_tensor({out}, 20 + l));
    const bool moves = adapts == Adapts::kAll || (adapts == Adapts::kHead) == (l + 1 == layers);
    for (int i = 0; i < 2; ++i) {
      std::vector<int64_t> shape{count};
      const auto sizes = p.parameters.initial[2 * l + i].sizes();
      if (steps == Steps::kPerCoordinate) shape.insert(shape.end(), sizes.begin(), sizes.end());
      p.parameters.step_size.push_back(moves ? 0.2 + 0.1 * random_tensor(shape, 30 + 2 * l + i) : Tensor());
    }
  }
  if (family == Family::kGaussian || family == Family::kNegativeBinomial)
    p.parameters.beside = at::full({}, 0.3, at::kDouble);
  if (family == Family::kOrdinal) {
    p.parameters.beside = at::zeros({2}, at::kDouble);
    p.parameters.beside[0] = -0.4;
    p.parameters.beside[1] = 0.7;
  }
  const auto rows = [&](int64_t n, uint64_t seed) {
    Tensor weight = random_tensor({kTasks, n}, seed + 1).abs() / static_cast<double>(n);
    weight[1].narrow(0, n - 2, 2).zero_();  // the second task is shorter
    return DenseRows{random_tensor({kTasks, n, inputs}, seed), targets_of(family, {kTasks, n}, seed + 2), weight,
                     0.2 * random_tensor({kTasks, n}, seed + 3)};
  };
  p.support = rows(kSupport, 40);
  p.query = rows(kQuery, 50);
  return p;
}

Tensor network(const DenseInnerLoop& loop, const std::vector<Tensor>& p, const Tensor& x) {
  Tensor h = x;
  for (size_t l = 0; l + 1 < loop.sizes.size(); ++l) {
    h = at::matmul(h, p[2 * l].transpose(1, 2)) + p[2 * l + 1].unsqueeze(1);
    if (l + 2 < loop.sizes.size()) h = loop.smooth ? h.tanh() : h.relu();
  }
  return h;
}

Tensor row_losses(const Problem& p, const Tensor& output, const DenseRows& rows) {
  const Tensor link = output + rows.offset.unsqueeze(2);
  const Tensor& beside = p.parameters.beside;
  if (p.loop.family == Family::kOrdinal) {
    const Tensor below = (beside - link).sigmoid();  // P(target <= c)
    const Tensor ends = at::zeros_like(link);
    const Tensor cumulative = at::cat({ends, below, ends + 1}, 2);
    const Tensor p_class = cumulative.narrow(2, 1, 3) - cumulative.narrow(2, 0, 3);
    return -p_class.gather(2, rows.target.to(at::kLong).unsqueeze(2)).squeeze(2).log();
  }
  const learning::Likelihood likelihood(p.loop.family, link.size(2));
  return likelihood.loss(link, rows.target, std::span(&beside, beside.defined() ? 1 : 0));
}

/// The same inner loop as any textbook has it, recorded by autograd.
std::vector<Tensor> plain_adapt(const Problem& p) {
  std::vector<Tensor> weights;
  for (const auto& t : p.parameters.initial)
    weights.push_back(t.unsqueeze(0).expand([&] {
      std::vector<int64_t> shape{kTasks};
      shape.insert(shape.end(), t.sizes().begin(), t.sizes().end());
      return shape;
    }()));
  for (int k = 0; k < p.loop.steps; ++k) {
    at::AutoGradMode enable(true);
    std::vector<Tensor> at_step = weights;
    if (p.loop.order == 1)
      for (auto& w : at_step) w = w.detach().requires_grad_(true);
    for (auto& w : at_step)
      if (!w.requires_grad()) w = w.detach().requires_grad_(true);
    const Tensor x = p.loop.order == 1 ? p.support.x.detach() : p.support.x;
    const Tensor loss = (row_losses(p, network(p.loop, at_step, x), p.support) * p.support.weight).sum();
    const bool second = p.loop.order == 2;
    const auto gradients = torch::autograd::grad({loss}, at_step, {}, second, second);
    for (size_t i = 0; i < weights.size(); ++i) {
      if (!p.parameters.step_size[i].defined()) continue;
      Tensor step = p.parameters.step_size[i][k];
      if (step.dim() > 0) step = step.unsqueeze(0);
      if (p.parameters.step_factor.defined()) {
        std::vector<int64_t> shape(gradients[i].dim(), 1);
        shape[0] = kTasks;
        step = step * p.parameters.step_factor.select(1, k).select(1, static_cast<int64_t>(i)).view(shape);
      }
      weights[i] = weights[i] - step * gradients[i];
    }
  }
  return weights;
}

Tensor plain_output(const Problem& p) { return network(p.loop, plain_adapt(p), p.query.x); }

Tensor plain_loss(const Problem& p) { return (row_losses(p, plain_output(p), p.query) * p.query.weight).sum(); }

Tensor our_output(const Problem& p) { return dense_inner_loop(p.loop, p.parameters, p.support, p.query.x); }

Tensor our_loss(const Problem& p) { return dense_inner_loop_loss(p.loop, p.parameters, p.support, p.query); }

/// A loss that every output enters in its own way.
Tensor any_loss(const Tensor& output) {
  return (output * at::arange(1, output.numel() + 1, output.options()).view_as(output)).sin().sum();
}

double difference(const Tensor& a, const Tensor& b) {
  return a.numel() == 0 ? 0 : ((a - b).abs().max() / (1 + b.abs().max())).item<double>();
}

void expect_same(Problem p, const std::string& what) {
  const auto leaves = p.leaves();
  const auto compare = [&](const Tensor& ours, const Tensor& plain, const std::string& which) {
    EXPECT_LT(difference(ours.detach(), plain.detach()), 1e-10) << what << ": " << which;
    const auto g = torch::autograd::grad({ours}, leaves, {}, {}, false, true);
    const auto h = torch::autograd::grad({plain}, leaves, {}, {}, false, true);
    for (size_t i = 0; i < leaves.size(); ++i) {
      const Tensor expected = h[i].defined() ? h[i] : at::zeros_like(leaves[i]);
      ASSERT_TRUE(g[i].defined() || !h[i].defined()) << what << ": " << which << ": no gradient " << i;
      const Tensor got = g[i].defined() ? g[i] : at::zeros_like(leaves[i]);
      EXPECT_LT(difference(got, expected), 1e-10)
          << what << ": " << which << ": gradient " << i << " of " << leaves.size();
    }
  };
  EXPECT_LT(difference(our_output(p).detach(), plain_output(p).detach()), 1e-10) << what;
  compare(any_loss(our_output(p)), any_loss(plain_output(p)), "outputs");
  compare(our_loss(p), plain_loss(p), "loss");
}

TEST(DenseInnerLoopTest, EqualsARecordedLoopInValuesAndAllGradients) {
  for (const bool smooth : {true, false})
    for (const int order : {1, 2})
      for (const Steps steps : {Steps::kNumber, Steps::kPerCoordinate})
        for (const Adapts adapts : {Adapts::kAll, Adapts::kHead, Adapts::kBody}) {
          Problem p = make_problem(Family::kGaussian, steps, adapts);
          p.loop.smooth = smooth;
          p.loop.order = order;
          expect_same(p, fmt::format("smooth {} order {} steps {} adapts {}", smooth, order, int(steps), int(adapts)));
        }
}

TEST(DenseInnerLoopTest, EqualsARecordedLoopWhereTasksHaveStepSizesOfTheirOwn) {
  for (const int order : {1, 2})
    for (const int64_t inputs : {2, 9})
      for (const Steps steps : {Steps::kNumber, Steps::kPerCoordinate}) {
        Problem p = make_problem(Family::kGaussian, steps, Adapts::kAll, {6, 5}, 3, inputs);
        p.loop.order = order;
        p.parameters.step_factor = random_tensor({kTasks, 3, 6}, 70).exp();
        expect_same(p, fmt::format("order {} inputs {} steps {}", order, inputs, int(steps)));
      }
}

TEST(DenseInnerLoopTest, EqualsARecordedLoopForEveryFamily) {
  for (const Family family : {Family::kGaussian, Family::kScores, Family::kBernoulli, Family::kCategorical,
                              Family::kOrdinal, Family::kPoisson, Family::kNegativeBinomial})
    expect_same(make_problem(family, Steps::kNumber, Adapts::kAll), std::string(family_name(family)));
}

TEST(DenseInnerLoopTest, EqualsARecordedLoopForEveryShape) {
  const std::vector<std::vector<int64_t>> bodies{{}, {4}, {8}, {17, 16}, {3, 9, 2}};
  for (const auto& hidden : bodies)
    for (const int steps : {0, 1, 4})
      for (const int64_t inputs : {2, 3, 8, 33}) {  // two inputs: the first layer is not in its dual form
        Problem p = make_problem(Family::kCategorical, Steps::kNumber, Adapts::kAll, hidden, steps, inputs);
        expect_same(p, fmt::format("{} layers, {} steps, {} inputs", hidden.size() + 1, steps, inputs));
      }
}

TEST(DenseInnerLoopTest, GradientsMatchFiniteDifferences) {
  for (const Family family : {Family::kGaussian, Family::kCategorical, Family::kOrdinal, Family::kNegativeBinomial}) {
    Problem p = make_problem(family, Steps::kNumber, Adapts::kAll, {4}, 2, 5);
    const auto leaves = p.leaves();
    const auto gradients = torch::autograd::grad({our_loss(p)}, leaves);
    at::NoGradGuard no_grad;
    constexpr double kStep = 1e-6;
    for (size_t a = 0; a < leaves.size(); ++a) {
      double* values = leaves[a].data_ptr<double>();
      const Tensor gradient = gradients[a].contiguous();
      for (int64_t i = 0; i < leaves[a].numel(); ++i) {
        const double kept = values[i];
        values[i] = kept + kStep;
        const double up = our_loss(p).item<double>();
        values[i] = kept - kStep;
        const double down = our_loss(p).item<double>();
        values[i] = kept;
        EXPECT_NEAR(gradient.data_ptr<double>()[i], (up - down) / (2 * kStep), 1e-7)
            << family_name(family) << ": argument " << a << ", entry " << i;
      }
    }
  }
}

TEST(DenseInnerLoopTest, AdaptedWeightsGiveTheSameOutputs) {
  for (const Steps steps : {Steps::kNumber, Steps::kPerCoordinate})
    for (const Adapts adapts : {Adapts::kAll, Adapts::kHead, Adapts::kBody}) {
      const Problem p = make_problem(Family::kPoisson, steps, adapts);
      const auto weights = dense_inner_loop_weights(p.loop, p.parameters, p.support);
      EXPECT_LT(difference(network(p.loop, weights, p.query.x), our_output(p)), 1e-12);
      const auto plain = plain_adapt(p);
      for (size_t i = 0; i < weights.size(); ++i) EXPECT_LT(difference(weights[i], plain[i].detach()), 1e-12) << i;
    }
}

TEST(DenseInnerLoopTest, ZeroStepsAreTheNetworkItself) {
  const Problem p = make_problem(Family::kBernoulli, Steps::kNumber, Adapts::kAll, {6, 5}, 0);
  std::vector<Tensor> weights;
  for (const auto& t : p.parameters.initial) weights.push_back(t.unsqueeze(0));
  EXPECT_LT(difference(our_output(p), network(p.loop, weights, p.query.x)), 1e-13);
}

/// Rows appended that count nothing, with targets and inputs that would show.
DenseRows padded(const DenseRows& rows) {
  const auto more = [](const Tensor& t, double value) {
    std::vector<int64_t> shape = t.sizes().vec();
    shape[1] = 3;
    return at::cat({t, at::full(shape, value, t.options())}, 1);
  };
  return {more(rows.x, 1e3), more(rows.target, 1), more(rows.weight, 0), more(rows.offset, 5)};
}

TEST(DenseInnerLoopTest, PaddingChangesNothing) {
  Problem p = make_problem(Family::kCategorical, Steps::kNumber, Adapts::kAll), q = p;
  q.support = padded(p.support);
  q.query = padded(p.query);
  const auto leaves = p.leaves(), more = q.leaves();
  const Tensor loss = our_loss(p), same = our_loss(q);
  EXPECT_EQ(loss.item<double>(), same.item<double>());
  const auto g = torch::autograd::grad({loss}, leaves), h = torch::autograd::grad({same}, more);
  for (size_t i = 0; i < g.size(); ++i)
    EXPECT_TRUE(at::equal(g[i], g[i].dim() == 3 ? h[i].narrow(1, 0, g[i].size(1)) : h[i])) << i;
}

TEST(DenseInnerLoopTest, ABatchIsItsTasksOneByOneAndThreadsChangeNoBit) {
  Problem p = make_problem(Family::kGaussian, Steps::kNumber, Adapts::kAll);
  const auto leaves = p.leaves();
  const Tensor loss = our_loss(p);
  const auto gradients = torch::autograd::grad({loss}, leaves);
  p.loop.threads = 2;
  const Tensor again = our_loss(p);
  EXPECT_EQ(loss.item<double>(), again.item<double>());
  const auto same = torch::autograd::grad({again}, leaves);
  for (size_t i = 0; i < leaves.size(); ++i) EXPECT_TRUE(at::equal(gradients[i], same[i])) << i;
  const Tensor outputs = our_output(p).detach();
  for (int64_t t = 0; t < kTasks; ++t) {
    Problem one = p;
    for (DenseRows* rows : {&one.support, &one.query})
      for (Tensor* tensor : {&rows->x, &rows->target, &rows->weight, &rows->offset}) *tensor = tensor->narrow(0, t, 1);
    EXPECT_TRUE(at::equal(our_output(one).detach(), outputs.narrow(0, t, 1))) << "task " << t;
  }
}

TEST(DenseInnerLoopTest, FloatIsCloseToDouble) {
  Problem p = make_problem(Family::kCategorical, Steps::kNumber, Adapts::kAll, {17, 8}), q = p;
  for (Tensor* t : q.arguments()) *t = t->to(at::kFloat);
  for (DenseRows* rows : {&q.support, &q.query})
    for (Tensor* t : {&rows->target, &rows->weight, &rows->offset}) *t = t->to(at::kFloat);
  const auto leaves = p.leaves(), small = q.leaves();
  const auto g = torch::autograd::grad({our_loss(p)}, leaves), h = torch::autograd::grad({our_loss(q)}, small);
  for (size_t i = 0; i < g.size(); ++i) EXPECT_LT(difference(h[i].to(at::kDouble), g[i]), 1e-4) << i;
}

TEST(DenseInnerLoopTest, ATaskWithoutSupportKeepsTheSharedWeights) {
  Problem p = make_problem(Family::kGaussian, Steps::kNumber, Adapts::kAll);
  p.support.weight = at::zeros_like(p.support.weight);
  Problem none = p;
  none.loop.steps = 0;
  for (auto& t : none.parameters.step_size) t = t.narrow(0, 0, 0);
  EXPECT_TRUE(at::equal(our_output(p), our_output(none)));
}

TEST(DenseInnerLoopTest, ABackwardPassCanBeRepeatedOnlyWhileTheGraphIsKept) {
  Problem p = make_problem(Family::kGaussian, Steps::kNumber, Adapts::kAll);
  const auto leaves = p.leaves();
  const Tensor loss = any_loss(our_output(p));
  const auto first = torch::autograd::grad({loss}, leaves, {}, /*retain_graph=*/true);
  const auto second = torch::autograd::grad({loss}, leaves);
  for (size_t i = 0; i < leaves.size(); ++i) EXPECT_TRUE(at::equal(first[i], second[i])) << i;
  EXPECT_ANY_THROW(torch::autograd::grad({loss}, leaves));
}

TEST(DenseInnerLoopTest, ShapesThatDisagreeAreRefusedByName) {
  const auto message = [](const std::function<void(Problem&)>& change) -> std::string {
    Problem p = make_problem(Family::kGaussian, Steps::kNumber, Adapts::kAll);
    change(p);
    try {
      our_loss(p);
    } catch (const InvalidInput& error) {
      return error.what();
    }
    return "";
  };
  using testing::HasSubstr;
  EXPECT_THAT(message([](Problem& p) { p.query.target = p.query.target.narrow(1, 0, 2); }), HasSubstr("query"));
  EXPECT_THAT(message([](Problem& p) { p.parameters.step_size[2] = p.parameters.step_size[2].narrow(0, 0, 1); }),
              HasSubstr("step size 2: expected [3] or [3, 5, 6]"));
  EXPECT_THAT(message([](Problem& p) { p.parameters.beside = Tensor(); }), HasSubstr("`beside` is missing"));
  EXPECT_THAT(message([](Problem& p) { p.loop.sizes.back() = 2; }), HasSubstr("gaussian: expected one output, got 2"));
}

}  // namespace
}  // namespace fewshop::nn
