#pragma once

#include "core/time.h"
#include "store/connection.h"

namespace fewshop {

// How many rows of events were removed by day, in the settings: {"removed-rows/2026-12-01": 12}. It tells rows that
// went from rows that never were here (ShopStore::rows_removed_since).

/// Inside the writer's transaction.
void count_removed_rows(Connection& connection, int64_t rows, Micros now);
/// On the day of `time` or later.
int64_t removed_rows_since(Connection& connection, Micros time);

}  // namespace fewshop
