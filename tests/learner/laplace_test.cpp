#include "learner/laplace.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>
#include <torch/autograd.h>

#include <cmath>

#include "learner/ordinal.h"
#include "learner/row_batches.h"
#include "runtime/gauss_hermite.h"

namespace fewshop::learning {
namespace {

using at::Tensor;

constexpr int64_t kClasses = 3;

Tensor random_numbers(at::IntArrayRef shape, uint64_t seed) {
  Random random(seed);
  Tensor t = at::empty(shape, at::kDouble);
  for (int64_t i = 0; i < t.numel(); ++i) t.data_ptr<double>()[i] = random.normal();
  return t;
}

struct Setting {
  Likelihood likelihood;
  std::vector<Tensor> beside;
};

Setting setting(Family family) {
  Setting s{Likelihood(family, kClasses), {}};
  for (const auto& named : s.likelihood.initial(0.7, at::kDouble)) s.beside.push_back(named.second + 0.3);
  return s;
}

Tensor numbers(std::vector<double> values) { return at::tensor(values, at::kDouble); }

class LinkCurvatureTest : public ::testing::TestWithParam<Family> {};

TEST_P(LinkCurvatureTest, IsTheDerivativesOfTheLogLikelihood) {
  const Setting s = setting(GetParam());
  const int64_t outputs = s.likelihood.outputs();
  const Tensor eta = (2 * random_numbers({1, 6, outputs}, 1)).set_requires_grad(true);
  const Tensor target = numbers({0, 1, 2, 1, 0, 1}).unsqueeze(0) * (GetParam() == Family::kBernoulli ? 0.5 : 1);
  const LinkCurvature curve = link_curvature(s.likelihood, s.beside, eta, target);
  const Tensor log_p = -s.likelihood.loss(eta, target, s.beside);
  const Tensor gradient = torch::autograd::grad({log_p.sum()}, {eta}, {}, true, true)[0];
  EXPECT_TRUE(at::allclose(curve.gradient, gradient, 1e-9, 1e-10));
  const Tensor information = at::matmul(curve.root, curve.root.transpose(-1, -2));
  if (GetParam() == Family::kGaussian) {  // its gradient is linear: the second derivative is known
    EXPECT_TRUE(at::allclose(information.squeeze(-1), (-s.beside[0]).exp().expand({1, 6, 1})));
    return;
  }
  for (int64_t o = 0; o < outputs; ++o) {
    const Tensor second = torch::autograd::grad({gradient.select(-1, o).sum()}, {eta}, {}, true, false)[0];
    EXPECT_TRUE(at::allclose(information.select(-1, o), -second, 1e-8, 1e-9)) << o;
  }
}

INSTANTIATE_TEST_SUITE_P(Families, LinkCurvatureTest,
                         ::testing::Values(Family::kGaussian, Family::kBernoulli, Family::kCategorical,
                                           Family::kOrdinal, Family::kPoisson, Family::kNegativeBinomial));

TEST(LaplaceTest, GaussianTargetsHaveTheirExactPosterior) {
  const Setting s = setting(Family::kGaussian);
  const double noise = std::exp(s.beside[0].item<double>());
  for (const int64_t rows : {0, 3, 9}) {  // fewer and more than the 4 weights
    const LinkRows in{random_numbers({2, rows, 4}, 1), random_numbers({2, rows, 1}, 2), random_numbers({2, rows}, 3),
                      random_numbers({2, rows}, 4).abs()};
    const Tensor query = random_numbers({2, 5, 4}, 5), base = random_numbers({2, 5, 1}, 6);
    const LinkValues link = link_values(laplace(s.likelihood, s.beside, in, 8), query, base);
    for (int64_t t = 0; t < 2; ++t) {
      // Brute force: the joint normal of support and query, conditioned.
      const Tensor z = in.z[t], k = at::matmul(query[t], z.t()), errors = (in.target - in.base.squeeze(-1))[t];
      const Tensor gain = at::matmul(k, at::linalg_inv(at::matmul(z, z.t()) + at::diag(noise / in.importance[t])));
      const Tensor mean = base[t].squeeze(-1) + at::matmul(gain, errors);
      const Tensor covariance = at::matmul(query[t], query[t].t()) - at::matmul(gain, k.t());
      EXPECT_TRUE(at::allclose(link.mean[t].squeeze(-1), mean, 1e-10, 1e-10)) << rows;
      EXPECT_TRUE(at::allclose(link.covariance[t].reshape({5}), covariance.diagonal(), 1e-10, 1e-10)) << rows;
    }
  }
}

class ModeTest : public ::testing::TestWithParam<Family> {};

/// At the mode the gradient of log likelihood and log prior is zero.
TEST_P(ModeTest, TheDefaultNumberOfStepsReachesIt) {
  const Setting s = setting(GetParam());
  const int64_t outputs = s.likelihood.outputs();
  const bool counts = GetParam() == Family::kPoisson || GetParam() == Family::kNegativeBinomial;
  Tensor target = at::zeros({3, 12}, at::kDouble);
  for (int64_t i = 0; i < target.numel(); ++i)
    target.data_ptr<double>()[i] =
        static_cast<double>(counts ? (i % 5) * (i % 5) * 4 : i % (GetParam() == Family::kBernoulli ? 2 : kClasses));
  const LinkRows rows{random_numbers({3, 12, 3}, 1), random_numbers({3, 12, outputs}, 2), target,
                      at::ones({3, 12}, at::kDouble)};
  const LaplacePosterior posterior = laplace(s.likelihood, s.beside, rows, 8);
  const Tensor u = posterior.mean.detach().set_requires_grad(true);
  const Tensor eta = rows.base + at::matmul(rows.z, u.transpose(1, 2));
  const Tensor log_posterior = -s.likelihood.loss(eta, target, s.beside).sum() - 0.5 * u.square().sum();
  const Tensor slope = torch::autograd::grad({log_posterior}, {u})[0];
  EXPECT_LT(slope.abs().max().item<double>(), 1e-6);
}

INSTANTIATE_TEST_SUITE_P(Families, ModeTest,
                         ::testing::Values(Family::kBernoulli, Family::kCategorical, Family::kOrdinal, Family::kPoisson,
                                           Family::kNegativeBinomial));

TEST(LaplaceTest, CountsFarFromThePriorDoNotOvershoot) {
  const Setting s = setting(Family::kPoisson);
  // Prior mean rate 1, wide prior, one count of 1000: the mode is where 1000 - exp(5 u) = u / 5.
  const LinkRows rows{at::full({1, 1, 1}, 5, at::kDouble), at::zeros({1, 1, 1}, at::kDouble),
                      at::full({1, 1}, 1000, at::kDouble), at::ones({1, 1}, at::kDouble)};
  const double eta = 5 * laplace(s.likelihood, s.beside, rows, 8).mean.item<double>();
  EXPECT_NEAR(1000 - std::exp(eta), eta / 25, 1e-6);
}

TEST(LaplaceTest, EvidenceOfRowsAddsUpToTheLinkValue) {
  for (const Family family : {Family::kGaussian, Family::kBernoulli, Family::kCategorical, Family::kPoisson}) {
    const Setting s = setting(family);
    const int64_t outputs = s.likelihood.outputs();
    const Tensor target = numbers({0, 1, 1, 0}).unsqueeze(0);
    const LinkRows rows{random_numbers({1, 4, 3}, 1), random_numbers({1, 4, outputs}, 2), target,
                        at::ones({1, 4}, at::kDouble)};
    const Tensor z = random_numbers({1, 2, 3}, 3), base = random_numbers({1, 2, outputs}, 4);
    for (const int steps : {1, 3, 8}) {
      const LaplacePosterior posterior = laplace(s.likelihood, s.beside, rows, steps);
      const Tensor sum = base + link_evidence(posterior, z, rows.z).sum(-1);
      EXPECT_TRUE(at::allclose(sum, link_values(posterior, z, base).mean, 1e-10, 1e-10)) << family_name(family);
    }
  }
}

/// E[f(eta)] for eta ~ N(mean, variance), by a fine grid.
template <class F>
double grid_expectation(double mean, double variance, const F& f) {
  double sum = 0, weight = 0;
  for (double x = -10; x <= 10; x += 1e-3) {
    const double w = std::exp(-0.5 * x * x);
    sum += w * f(mean + std::sqrt(variance) * x);
    weight += w;
  }
  return sum / weight;
}

LinkValues one_link(double mean, double variance) {
  return {at::full({1, 1, 1}, mean, at::kDouble), at::full({1, 1, 1, 1}, variance, at::kDouble)};
}

TEST(LinkMixtureTest, ProbabilitiesAreIntegralsOverTheLink) {
  // The integral is a Gauss-Hermite rule of 32 points: of a logistic function to 1e-12 over a link value's deviation of
  // 1, to some 1e-6 over the 2.4 here.
  const Setting binary = setting(Family::kBernoulli), ordered = setting(Family::kOrdinal);
  const Tensor cuts = ordinal_thresholds(ordered.beside);
  const auto logistic = [](double x) { return 1 / (1 + std::exp(-x)); };
  for (const double mean : {-3.0, 0.2, 2.0})
    for (const double variance : {0.01, 1.0, 6.0}) {
      const Distribution d = link_mixture(binary.likelihood, binary.beside, one_link(mean, variance));
      EXPECT_NEAR(d.mean().item<double>(), grid_expectation(mean, variance, logistic), 5e-6);
      const Tensor p = link_mixture(ordered.likelihood, ordered.beside, one_link(mean, variance)).probabilities();
      const double lowest =
          grid_expectation(mean, variance, [&](double x) { return logistic(cuts[0].item<double>() - x); });
      EXPECT_NEAR(p[0][0][0].item<double>(), lowest, 5e-6);
      EXPECT_NEAR(p.sum().item<double>(), 1, 1e-12);
    }
}

TEST(LinkMixtureTest, CountsHaveTheExactMeanAndVariance) {
  for (const Family family : {Family::kPoisson, Family::kNegativeBinomial}) {
    const Setting s = setting(family);
    const double inverse_size = family == Family::kPoisson ? 0 : std::exp(-s.beside[0].item<double>());
    const Distribution d = link_mixture(s.likelihood, s.beside, one_link(0.7, 0.4));
    const double mean = grid_expectation(0.7, 0.4, [](double x) { return std::exp(x); });
    const double square =
        grid_expectation(0.7, 0.4, [&](double x) { return std::exp(x) + (1 + inverse_size) * std::exp(2 * x); });
    EXPECT_NEAR(d.mean().item<double>(), mean, 1e-6);
    EXPECT_NEAR(d.variance().item<double>(), square - mean * mean, 1e-5);
  }
}

TEST(LinkMixtureTest, ClassesOfACertainLinkAreItsSoftmaxAndUncertaintyLevelsThem) {
  const Setting s = setting(Family::kCategorical);
  const Tensor mean = numbers({1, -0.5, 0.2}).view({1, 1, 3}), identity = at::eye(3, at::kDouble).view({1, 1, 3, 3});
  const auto p = [&](double variance) {
    return link_mixture(s.likelihood, s.beside, {mean, variance * identity}).probabilities();
  };
  EXPECT_TRUE(at::allclose(p(0), mean.softmax(-1), 1e-12, 1e-12));
  EXPECT_LT(p(4).max().item<double>(), p(0).max().item<double>());
  EXPECT_NEAR(p(1e9).min().item<double>(), 1.0 / 3, 1e-3);
  // What all classes share does not matter.
  const Tensor common = identity + 5;
  EXPECT_TRUE(at::allclose(link_mixture(s.likelihood, s.beside, {mean, common}).probabilities(), p(1), 1e-12, 1e-12));
  // Close to the integral by sampling.
  Random random(3);
  constexpr int kDraws = 100'000;
  Tensor draws = at::empty({kDraws, 3}, at::kDouble);
  for (int64_t i = 0; i < draws.numel(); ++i) draws.data_ptr<double>()[i] = random.normal();
  const Tensor sampled = (mean.view({3}) + draws).softmax(-1).mean(0);
  EXPECT_LT((p(1).view({3}) - sampled).abs().max().item<double>(), 0.01);
}

TEST(GaussHermiteTest, IntegratesPolynomialsExactly) {
  const auto& rule = link_rule();
  const auto moment = [&](int power) {
    double sum = 0;
    for (size_t k = 0; k < rule.node.size(); ++k) sum += rule.weight[k] * std::pow(rule.node[k], power);
    return sum;
  };
  EXPECT_NEAR(moment(0), 1, 1e-14);
  EXPECT_NEAR(moment(1), 0, 1e-14);
  EXPECT_NEAR(moment(2), 1, 1e-13);
  EXPECT_NEAR(moment(4), 3, 1e-12);
  EXPECT_NEAR(moment(10) / 945, 1, 1e-12);
}

}  // namespace
}  // namespace fewshop::learning
