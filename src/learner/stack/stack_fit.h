#pragma once

#include <span>
#include <vector>

#include "learner/held_out.h"
#include "runtime/stack.h"

namespace fewshop {

/// Weights for predictions: weighted least squares (or least absolute errors by reweighting, where the primary metric
/// is an absolute error) on held-out samples, shrunk first towards the learner alone and then, cell by cell, towards
/// what all cells share. Tasks weigh alike, or by their query rows where the metric counts these. Also fits the factor
/// that calibrates the learner's variance. docs/stack-and-gate.md.
Stack fit_rating_stack(std::span<const Sample> samples, int members, int learner, const Metric& metric);

/// Weights for ranks: softmax loss of the query items among the sampled candidates, from the learner alone; then
/// coordinate ascent of the metric itself, from there or from the best member alone, whichever ranks better. Metzler,
/// Croft. "Linear feature-based models for information retrieval." Information Retrieval 10, 2007.
Stack fit_ranking_stack(std::span<const Sample> samples, int members, int learner, const Metric& metric, int threads);

/// The mixed scores of a sample: out [n].
void mix(const Stack& stack, const Sample& sample, std::span<float> out);

}  // namespace fewshop
