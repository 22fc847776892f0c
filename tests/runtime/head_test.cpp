#include "runtime/head.h"

#include <gtest/gtest.h>

#include <rapidcheck.h>
#include <Eigen/Dense>
#include <cmath>
#include <limits>

#include "core/random.h"

namespace fewshop {
namespace {

/// One head problem; item vectors lie in a table with gaps, as they do in a model.
struct Problem {
  int d = 0;
  int64_t stride = 0;
  std::vector<float> vectors, y, beta, mean;
  std::vector<int32_t> rows;

  const float* vector(int row) const { return vectors.data() + row * stride; }
};

Problem random_problem(int support, int d, uint64_t seed, bool with_mean = true) {
  Random random(seed);
  Problem p;
  p.d = d;
  p.stride = d + static_cast<int64_t>(random.below(3));
  const int items = support + 5;
  p.vectors.resize(items * p.stride, std::numeric_limits<float>::quiet_NaN());
  for (int i = 0; i < items; ++i) {
    for (int j = 0; j < d; ++j) p.vectors[i * p.stride + j] = static_cast<float>(random.normal() / std::sqrt(d));
  }
  for (int s = 0; s < support; ++s) {
    p.rows.push_back(static_cast<int32_t>(random.below(items)));  // the same item may come twice
    p.y.push_back(static_cast<float>(random.normal()));
    p.beta.push_back(random.below(8) == 0 ? 0.0f : static_cast<float>(std::exp(2 * random.normal())));
  }
  if (with_mean) {
    for (int j = 0; j < d; ++j) p.mean.push_back(static_cast<float>(random.normal()));
  }
  return p;
}

void solve(HeadPosterior& head, const Problem& p) {
  head.solve(p.vectors.data(), p.stride, p.d, p.rows, p.y, p.beta, p.mean);
}

/// The definition, in double, by a dense inverse.
struct BruteForce {
  Eigen::MatrixXd phi, covariance;
  Eigen::VectorXd beta, mean, residual, weights;

  explicit BruteForce(const Problem& p) {
    const int support = static_cast<int>(p.rows.size());
    phi.resize(support, p.d);
    beta.resize(support);
    residual.resize(support);
    mean = Eigen::VectorXd::Zero(p.d);
    for (size_t j = 0; j < p.mean.size(); ++j) mean[j] = p.mean[j];
    for (int s = 0; s < support; ++s) {
      phi.row(s) = Eigen::Map<const Eigen::RowVectorXf>(p.vector(p.rows[s]), p.d).cast<double>();
      beta[s] = p.beta[s];
      residual[s] = p.y[s] - phi.row(s).dot(mean);
    }
    const Eigen::MatrixXd a = Eigen::MatrixXd::Identity(p.d, p.d) + phi.transpose() * beta.asDiagonal() * phi;
    covariance = a.inverse();
    weights = mean + covariance * (phi.transpose() * (beta.asDiagonal() * residual));
  }
};

void expect_matches_brute_force(HeadPosterior& head, const Problem& p) {
  solve(head, p);
  const BruteForce brute(p);
  ASSERT_EQ(head.weights().size(), static_cast<size_t>(p.d));
  const double norm = std::max(brute.weights.norm(), 1e-3);
  for (int j = 0; j < p.d; ++j) {
    EXPECT_NEAR(head.weights()[j], brute.weights[j], 1e-6 * norm);
    EXPECT_NEAR(head.weights_double()[j], brute.weights[j], 1e-9 * norm);
  }
  std::vector<double> h(p.rows.size());
  for (int q = 0; q < 5; ++q) {
    const float* phi = p.vector(static_cast<int>(p.rows.size()) + q);
    const Eigen::VectorXd x = Eigen::Map<const Eigen::VectorXf>(phi, p.d).cast<double>();
    const double variance = x.dot(brute.covariance * x);
    EXPECT_NEAR(head.variance(phi), variance, 1e-6 * variance + 1e-9 * x.squaredNorm());
    head.equivalent_kernel(phi, h);
    double score = x.dot(brute.mean), magnitude = std::abs(score);
    for (size_t s = 0; s < h.size(); ++s) {
      EXPECT_NEAR(h[s], x.dot(brute.covariance * brute.phi.row(s).transpose()) * brute.beta[s], 1e-9 * x.norm() * 10);
      const double residual = p.beta[s] > 0 ? brute.residual[s] : 0.0;
      EXPECT_NEAR(head.residuals()[s], residual, 1e-12 * (1 + std::abs(residual)));
      score += h[s] * head.residuals()[s];
      magnitude += std::abs(h[s] * head.residuals()[s]);
    }
    double direct = 0;
    for (int j = 0; j < p.d; ++j) direct += head.weights_double()[j] * phi[j];
    EXPECT_NEAR(score, direct, 1e-9 * magnitude);
  }
}

TEST(HeadPosterior, EqualsTheDefinitionForEverySize) {
  HeadPosterior head;  // one workspace for all sizes, as when serving
  uint64_t seed = 1;
  for (int support : {0, 1, 2, 3, 4, 5, 7, 8, 13, 20, 31, 64, 65, 100, 200}) {
    for (int d : {1, 2, 3, 4, 5, 8, 15, 16, 31, 33, 64}) {
      SCOPED_TRACE(testing::Message() << "S = " << support << ", d = " << d);
      expect_matches_brute_force(head, random_problem(support, d, ++seed, d % 3 != 0));
      if (testing::Test::HasFailure()) return;
    }
  }
}

TEST(HeadPosterior, EqualsTheDefinitionForRandomSizes) {
  HeadPosterior head;
  EXPECT_TRUE(rc::check("random sizes", [&] {
    const int support = *rc::gen::inRange(0, 201), d = *rc::gen::inRange(1, 65);
    expect_matches_brute_force(head, random_problem(support, d, *rc::gen::arbitrary<uint32_t>()));
    RC_ASSERT(!testing::Test::HasFailure());
  }));
}

TEST(HeadPosterior, OtherTargetsByTheSameFactorAreASolveOfTheirOwn) {
  HeadPosterior head, fresh;
  for (int support : {0, 1, 6, 20, 40})  // dual and primal at d = 17
    for (const bool with_mean : {false, true}) {
      Problem p = random_problem(support, 17, 77 + support, with_mean);
      head.solve(p.vectors.data(), p.stride, p.d, p.rows, p.y, p.beta, p.mean);
      Random random(support);
      for (float& y : p.y) y = static_cast<float>(random.normal());
      head.solve_again(p.y);
      fresh.solve(p.vectors.data(), p.stride, p.d, p.rows, p.y, p.beta, p.mean);
      for (int j = 0; j < p.d; ++j) EXPECT_NEAR(head.weights_double()[j], fresh.weights_double()[j], 1e-12);
      for (int s = 0; s < support; ++s) EXPECT_NEAR(head.residuals()[s], fresh.residuals()[s], 1e-12);
      EXPECT_EQ(head.variance(p.vector(0)), fresh.variance(p.vector(0)));
    }
}

TEST(HeadPosterior, OneRowIsWorkedOutByHand) {
  // w ~ N(0, I), one row (1, 2) with target 3 and precision 0.5:  K = 5 + 2,  alpha = 3 / 7.
  const std::vector<float> vectors = {1, 2}, y = {3}, beta = {0.5};
  const std::vector<int32_t> rows = {0};
  HeadPosterior head;
  head.solve(vectors.data(), 2, 2, rows, y, beta, {});
  EXPECT_FLOAT_EQ(head.weights()[0], 3.0 / 7);
  EXPECT_FLOAT_EQ(head.weights()[1], 6.0 / 7);
  const float query[] = {1, 0};
  EXPECT_FLOAT_EQ(head.variance(query), 1 - 1.0 / 7);
  std::vector<double> h(1);
  head.equivalent_kernel(query, h);
  EXPECT_DOUBLE_EQ(h[0], 1.0 / 7);
}

TEST(HeadPosterior, WithoutRowsThePriorRemains) {
  Problem p = random_problem(0, 10, 3);
  HeadPosterior head;
  solve(head, p);
  for (int j = 0; j < p.d; ++j) EXPECT_EQ(head.weights()[j], p.mean[j]);
  double squared = 0;
  for (int j = 0; j < p.d; ++j) squared += double{p.vector(0)[j]} * p.vector(0)[j];
  EXPECT_FLOAT_EQ(head.variance(p.vector(0)), squared);
  head.equivalent_kernel(p.vector(0), {});
}

/// The weights, variance and kernel of one query, for comparisons bit for bit.
std::vector<double> everything(HeadPosterior& head, const Problem& p) {
  solve(head, p);
  std::vector<double> all(head.weights().begin(), head.weights().end()), h(p.rows.size());
  all.push_back(head.variance(p.vector(0)));
  head.equivalent_kernel(p.vector(0), h);
  for (size_t s = 0; s < h.size(); ++s) {
    if (h[s] != 0) all.push_back(h[s]), all.push_back(head.residuals()[s]);
  }
  return all;
}

TEST(HeadPosterior, ARowThatDoesNotCountIsAsIfNeverGivenBitForBit) {
  constexpr float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  for (int support : {1, 5, 20, 33}) {  // d = 16: dual and primal, and both sides of the border
    Problem without = random_problem(support - 1, 16, support);
    for (float& beta : without.beta) beta = std::max(beta, 0.1f);
    HeadPosterior fresh;
    const std::vector<double> expected = everything(fresh, without);
    for (int how = 0; how < 5; ++how) {
      for (size_t at : {size_t{0}, without.rows.size() / 2, without.rows.size()}) {
        Problem with = without;
        const bool bad_vector = how == 4;
        with.rows.insert(with.rows.begin() + at, bad_vector ? static_cast<int32_t>(support + 2) : 1);
        if (bad_vector) with.vectors[(support + 2) * with.stride] = infinity;
        if (bad_vector && std::count(without.rows.begin(), without.rows.end(), support + 2)) continue;
        with.y.insert(with.y.begin() + at, how == 3 ? nan : 2.0f);
        with.beta.insert(with.beta.begin() + at, how == 0 ? 0.0f : how == 1 ? -1.0f : how == 2 ? nan : 1.0f);
        HeadPosterior used;
        solve(used, random_problem(50, 20, 9));  // leftovers of an earlier task must not matter
        EXPECT_EQ(everything(used, with), expected) << "S = " << support << ", way " << how << ", at " << at;
      }
    }
  }
}

TEST(HeadPosterior, ExtremeInputsGiveFiniteAnswers) {
  constexpr float huge = std::numeric_limits<float>::max(), infinity = std::numeric_limits<float>::infinity();
  constexpr float tiny = std::numeric_limits<float>::denorm_min();
  HeadPosterior head;
  for (float scale : {huge, 1e20f, 1.0f, 1e-20f, tiny, 0.0f}) {
    for (float beta : {infinity, huge, 1.0f, tiny}) {
      for (int support : {1, 4, 40}) {
        Problem p = random_problem(support, 12, 5);
        for (float& x : p.vectors) x = std::clamp(x, -1.0f, 1.0f) * scale;
        for (int s = 0; s < support; ++s) {
          p.rows[s] = s % 3;  // contradicting targets on equal vectors
          p.y[s] = s % 2 ? huge : -1.0f;
          p.beta[s] = beta;
        }
        p.mean[3] = infinity;
        solve(head, p);
        std::vector<double> h(support);
        head.equivalent_kernel(p.vector(0), h);
        for (float w : head.weights()) EXPECT_TRUE(std::isfinite(w));
        for (double x : h) EXPECT_TRUE(std::isfinite(x));
        const float variance = head.variance(p.vector(0));
        EXPECT_TRUE(std::isfinite(variance) && variance >= 0) << variance;
      }
    }
  }
}

TEST(HeadPosterior, AnExactlyKnownScoreIsReproduced) {
  Problem p = random_problem(6, 12, 8);
  for (int s = 0; s < 6; ++s) p.rows[s] = s, p.beta[s] = std::numeric_limits<float>::infinity();
  HeadPosterior head;
  solve(head, p);
  for (int s = 0; s < 6; ++s) {
    double score = 0;
    for (int j = 0; j < p.d; ++j) score += head.weights_double()[j] * p.vector(s)[j];
    EXPECT_NEAR(score, p.y[s], 1e-6);
    EXPECT_NEAR(head.variance(p.vector(s)), 0, 1e-6);
  }
}

TEST(HeadPosterior, AContradictionIsAveraged) {
  Problem p = random_problem(2, 8, 4, false);
  p.rows = {0, 0};
  p.y = {1, 3};
  p.beta = {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::infinity()};
  HeadPosterior head;
  solve(head, p);
  double score = 0;
  for (int j = 0; j < p.d; ++j) score += head.weights_double()[j] * p.vector(0)[j];
  EXPECT_NEAR(score, 2, 1e-4);
}

}  // namespace
}  // namespace fewshop
