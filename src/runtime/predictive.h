#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "runtime/family.h"

namespace fewshop {

/// A predictive distribution of one target, C classes. Only what its family names is used (runtime/family.h).
struct Predictive {
  Family family = Family::kGaussian;
  double mean = 0;                  // gaussian, poisson, negative-binomial; bernoulli: the probability of 1
  double variance = 0;              // gaussian
  double size = 0;                  // negative-binomial: variance = mean + mean^2 / size
  std::vector<double> probability;  // categorical, ordinal: [C], adding up to 1

  static Predictive gaussian(double mean, double variance) { return {Family::kGaussian, mean, variance, 0, {}}; }
  static Predictive bernoulli(double probability) { return {Family::kBernoulli, probability, 0, 0, {}}; }
  static Predictive poisson(double mean) { return {Family::kPoisson, mean, 0, 0, {}}; }
  static Predictive negative_binomial(double mean, double size) {
    return {Family::kNegativeBinomial, mean, 0, size, {}};
  }
};

/// The mean of the target; of ordered classes the mean position. Not defined for categorical (NaN).
double mean(const Predictive& p);

/// The variance of the target; not defined for categorical (NaN).
double variance(const Predictive& p);

/// log density (gaussian) or log probability of a target: a number, 0 or 1, a count, or the position of a class. A
/// probability of 0 counts as 1e-12, so that one impossible event does not decide everything.
double log_prob(const Predictive& p, double target);

/// The least value with at least `share` of the probability at or below it, share in (0, 1); of classes a position
/// (categorical has no order: NaN).
double quantile(const Predictive& p, double share);

/// The class with the largest probability, the first of several; of a bernoulli 0 or 1 (1 from one half on).
int32_t most_probable(const Predictive& p);

/// The number that an explanation is about. `label` is the class in question of a categorical; else it is not used.
///   gaussian, counts: the mean      bernoulli: the probability of 1
///   categorical: P(label)           ordinal: mean position / (C - 1), in [0, 1]
double level(const Predictive& p, int32_t label);

/// The level on the scale on which explanations add up: itself for gaussian and scores, its logarithm for counts, its
/// log odds for the others.
double link(Family family, double level);
/// The level of a link.
double level_of(Family family, double link);

/// The linear opinion pool: sum of weight[m] p[m], weights >= 0 adding up to 1. Members must be of one kind of target:
/// gaussians give the gaussian of the mixture's mean and variance, counts the negative binomial of its mean and
/// variance (a poisson where it is not wider), classes the mixture of probabilities.
/// Stone. "The opinion pool." Annals of Mathematical Statistics 32, 1961.
void pool(std::span<const Predictive> members, std::span<const double> weight, Predictive& out);

}  // namespace fewshop
