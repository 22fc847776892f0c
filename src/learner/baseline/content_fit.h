#pragma once

#include <span>
#include <vector>

#include "feature/columns.h"
#include "runtime/content_map.h"

namespace fewshop {

/// Ridge regression from item features to vectors:
///
///   minimise  sum over items of weight_i |target_i - intercept - x_i W|^2 + ridge |W|^2
///
///   targets [items, outputs], weights [items] (0: the item is not used)
///
/// Solved by conjugate gradients on the normal equations, with the diagonal as preconditioner: the features are sparse
/// and may be many. Without feature columns only the intercept is fitted.
ContentMap fit_content(const Columns& columns, std::span<const float> targets, int32_t outputs,
                       std::span<const float> weights, double ridge);

/// The map's value for every item: [items, outputs].
std::vector<float> apply_content(const ContentMap& map, const Columns& columns, int64_t items);

}  // namespace fewshop
