#pragma once

#include <optional>
#include <string_view>

namespace fewshop {

/// The family of a predictive distribution, and what its parameters are called (Predictive here, Distribution in the
/// torch form):
///
///   gaussian           mean, variance
///   scores             mean (the score), variance; no unit, so no density over targets
///   bernoulli          probability of 1
///   categorical        probabilities [C], one per class
///   ordinal            probabilities [C] of ordered classes 0 .. C-1
///   poisson            mean
///   negative-binomial  mean, size r > 0: variance = mean + mean^2 / r
enum class Family { kGaussian, kScores, kBernoulli, kCategorical, kOrdinal, kPoisson, kNegativeBinomial };

/// "gaussian", "scores", ...
std::string_view family_name(Family family);
std::optional<Family> family_from_name(std::string_view name);

}  // namespace fewshop
