#include "runtime/dense/row_loss.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <string>
#include <vector>

namespace fewshop::dense {
namespace {

struct Case {
  Family family;
  std::vector<double> beside;
  std::vector<double> targets;
  int64_t outputs = 1;
};

const Case kCases[] = {
    {Family::kGaussian, {0.4}, {-1.5, 2}},
    {Family::kScores, {}, {0, 1}},
    {Family::kBernoulli, {}, {0, 1}},
    {Family::kCategorical, {}, {0, 1, 2}, 3},
    {Family::kOrdinal, {-0.5, 0.2, 1.4}, {0, 1, 2, 3}},
    {Family::kPoisson, {}, {0, 1, 7}},
    {Family::kNegativeBinomial, {0.7}, {0, 1, 7}},
};
constexpr double kStep = 1e-5;
constexpr int64_t kStride = 4;

using Row = std::array<double, kStride>;

double value(const Case& c, const std::vector<double>& beside, const Row& z, double y) {
  const double weight = 1;
  return RowLoss<double>(c.family, c.outputs, beside).value(1, z.data(), kStride, &y, &weight, nullptr);
}

Row gradient(const Case& c, const std::vector<double>& beside, Row z, double y, double weight) {
  Row g{};
  RowLoss<double>(c.family, c.outputs, beside).gradient(1, z.data(), kStride, &y, &weight, g.data());
  return g;
}

TEST(RowLossTest, GradientsAreSlopesOfTheLoss) {
  for (const Case& c : kCases)
    for (const double y : c.targets) {
      const Row z{0.3, -0.8, 1.1, 0};
      const Row g = gradient(c, c.beside, z, y, 2);
      for (int64_t o = 0; o < kStride; ++o) {
        Row up = z, down = z;
        up[o] += kStep;
        down[o] -= kStep;
        const double slope =
            o < c.outputs ? (value(c, c.beside, up, y) - value(c, c.beside, down, y)) / (2 * kStep) : 0;
        EXPECT_NEAR(g[o], 2 * slope, 1e-8) << family_name(c.family) << " target " << y << " output " << o;
      }
    }
}

TEST(RowLossTest, TangentsAreSlopesOfTheGradientAndOfWhatStandsBeside) {
  for (const Case& c : kCases)
    for (const double y : c.targets) {
      const Row z{0.3, -0.8, 1.1, 0}, moved{0.7, 0.2, -0.5, 0};
      const double weight = 2;
      const RowLoss<double> loss(c.family, c.outputs, c.beside);
      Row kept = z, g{}, tangent{};
      std::vector<double> beside(c.beside.size(), 0);
      loss.gradient(1, kept.data(), kStride, &y, &weight, g.data());
      loss.tangent(1, kept.data(), kStride, moved.data(), &y, &weight, tangent.data(), beside.data());
      const auto along = [&](double step) {
        Row at = z;
        for (int64_t o = 0; o < c.outputs; ++o) at[o] += step * moved[o];
        return gradient(c, c.beside, at, y, weight);
      };
      const Row up = along(kStep), down = along(-kStep);
      for (int64_t o = 0; o < kStride; ++o)
        EXPECT_NEAR(tangent[o], (up[o] - down[o]) / (2 * kStep), 1e-8) << family_name(c.family) << " target " << y;
      for (size_t i = 0; i < c.beside.size(); ++i) {
        auto more = c.beside, less = c.beside;
        more[i] += kStep;
        less[i] -= kStep;
        const double slope =
            (gradient(c, more, z, y, weight)[0] - gradient(c, less, z, y, weight)[0]) / (2 * kStep) * moved[0];
        EXPECT_NEAR(beside[i], slope, 1e-8) << family_name(c.family) << " target " << y << " beside " << i;
      }
    }
}

TEST(RowLossTest, TheValueTellsItsSlopeForWhatStandsBeside) {
  for (const Case& c : kCases)
    for (const double y : c.targets) {
      const Row z{0.3, -0.8, 1.1, 0};
      const double weight = 1;
      std::vector<double> slope(c.beside.size(), 0);
      RowLoss<double>(c.family, c.outputs, c.beside).value(1, z.data(), kStride, &y, &weight, slope.data());
      for (size_t i = 0; i < c.beside.size(); ++i) {
        auto more = c.beside, less = c.beside;
        more[i] += kStep;
        less[i] -= kStep;
        EXPECT_NEAR(slope[i], (value(c, more, z, y) - value(c, less, z, y)) / (2 * kStep), 1e-8)
            << family_name(c.family) << " target " << y << " beside " << i;
      }
    }
}

TEST(RowLossTest, ValuesByHand) {
  const double half = 0.5, one = 1, weight = 3;
  const double zero_mean_unit_variance[] = {0};
  EXPECT_NEAR(RowLoss<double>(Family::kGaussian, 1, zero_mean_unit_variance).value(1, &half, 1, &one, &weight, nullptr),
              3 * (0.5 * 0.25 + 0.5 * std::log(2 * M_PI)), 1e-12);
  EXPECT_NEAR(RowLoss<double>(Family::kBernoulli, 1, {}).value(1, &half, 1, &one, &weight, nullptr),
              3 * std::log(1 + std::exp(-0.5)), 1e-12);
}

TEST(RowLossTest, ExtremeOutputsStayFinite) {
  const double weight = 1;
  for (const double far : {-800.0, 800.0})
    for (const Family family : {Family::kScores, Family::kBernoulli}) {
      const double y = 0;
      double z = far, g = 0;
      const RowLoss<double> loss(family, 1, {});
      EXPECT_TRUE(std::isfinite(loss.value(1, &z, 1, &y, &weight, nullptr)));
      loss.gradient(1, &z, 1, &y, &weight, &g);
      EXPECT_TRUE(std::isfinite(g));
    }
  Row z{900, -900, 0, 0}, g{};
  const double y = 1;
  const RowLoss<double> loss(Family::kCategorical, 3, {});
  EXPECT_NEAR(loss.value(1, z.data(), kStride, &y, &weight, nullptr), 1800, 1e-9);
  loss.gradient(1, z.data(), kStride, &y, &weight, g.data());
  EXPECT_NEAR(g[0], 1, 1e-12);
}

}  // namespace
}  // namespace fewshop::dense
