#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "core/random.h"

namespace fewshop {

/// The nearest of k centres for every point, by Euclidean distance; equal distances by the smaller number.
///   points [n, d], centres [k, d]  ->  nearest [n], squared distance [n] or empty
void nearest_centres(std::span<const float> points, std::span<const float> centres, int d, std::span<int32_t> nearest,
                     std::span<float> distance);

/// Centres [k, d] of points [n, d], k <= n, by Lloyd's iterations from k distinct points that are drawn; a centre that
/// has lost all its points moves to a point that is drawn. `stopped` is asked in every iteration: where it says so, the
/// centres are as far as they got.
std::vector<float> k_means(std::span<const float> points, int d, int k, int iterations, Random random,
                           const std::function<bool()>& stopped);

}  // namespace fewshop
