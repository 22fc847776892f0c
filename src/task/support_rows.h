#pragma once

#include <span>
#include <vector>

#include "core/time.h"
#include "runtime/member.h"
#include "task/dataset.h"

namespace fewshop {

/// Rows of a dataset in the form that members adapt to, in the order given.
///
///   rows     row numbers of one task, in episode order
///   at       ages are seconds before this time (0 for later rows, and where the scenario has no time)
///   item_of  dataset item -> item of the model, -1 = unknown to it; empty: both number items alike
std::vector<SupportRow> support_rows(const Dataset& data, std::span<const int32_t> rows, Micros at,
                                     std::span<const int32_t> item_of = {});

/// The time that the ages of an episode's support count from: that of its earliest query row, of its latest support row
/// where there is no query, else 0.
Micros episode_time(const Dataset& data, std::span<const int32_t> support, std::span<const int32_t> query);

}  // namespace fewshop
