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
///   at       ages are seconds before this time (0 for later rows, for rows without a time, and where `at` is none)
///   item_of  dataset item -> item of the model, -1 = unknown to it; empty: both number items alike
std::vector<SupportRow> support_rows(const Dataset& data, std::span<const int32_t> rows, Micros at,
                                     std::span<const int32_t> item_of = {});

/// Seconds from the time of a row to `at`: 0 for later rows and where one of the two is kNoTime.
double age_seconds(Micros at, Micros time);

/// The time that the ages of an episode's support count from: that of its earliest query row, of its latest support row
/// where no query row has a time; kNoTime where no row has one.
Micros episode_time(const Dataset& data, std::span<const int32_t> support, std::span<const int32_t> query);

}  // namespace fewshop
