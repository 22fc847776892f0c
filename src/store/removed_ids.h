#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/time.h"
#include "store/connection.h"

namespace fewshop {

// Ids of events whose rows were overwritten or deleted as feedback, so that a request that is sent again does not bring
// them back. Kept as hashes of 128 bits, without the person, for 30 days at least: older ones go when others come.
// Dumps do not have them.

inline constexpr Micros kRemovedIdsKept = 30 * kDay;

/// Inside the writer's transaction.
void note_removed_id(Connection& connection, std::string_view event_id, Micros now);
void restore_removed_id(Connection& connection, std::string_view event_id);
void drop_old_removed_ids(Connection& connection, Micros now);

bool has_removed_ids(Connection& connection);
/// hash64() of each, oldest first.
std::vector<uint64_t> removed_id_hashes(Connection& connection);
bool is_removed_id(Connection& connection, std::string_view event_id);

}  // namespace fewshop
