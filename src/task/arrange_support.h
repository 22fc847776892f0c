#pragma once

#include <optional>
#include <vector>

#include "core/time.h"
#include "runtime/member.h"
#include "scenario/scenario.h"
#include "task/dataset.h"

namespace fewshop {

/// A row of a task's support as it arrived: with what puts it in order.
struct ArrivedRow {
  SupportRow row;         // group and age are set by arrange_support
  Micros time = kNoTime;  // kNoTime: none
  uint64_t tie = 0;    // equal for rows that the scenario's [episode] ties hold together; not used with ties = "time"
  int32_t source = 0;  // whatever the caller wants to find again
};

/// Puts the support rows of one task in episode order, as offline rows are (order_rows.h): by time where the scenario
/// orders by it, else as they arrived; rows of one group together, groups in order of their first row; only the latest
/// episode.support groups are kept. Ages count from `at`, or from the latest row where there is none.
void arrange_support(std::vector<ArrivedRow>& rows, const EpisodeSpec& episode, std::optional<Micros> at);

}  // namespace fewshop
