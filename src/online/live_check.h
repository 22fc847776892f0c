#pragma once

#include <cstdint>
#include <string>

namespace fewshop {

struct LiveCheck {
  int64_t users = 0, rows = 0;  // compared
  std::string difference;       // the first one, as a sentence; "" = none
};

/// Whether a model's scenario is the same online as offline: for up to `most_users` users with stored events (spread
/// over all of them), the support rows that its [live] makes of the table `events` are compared with those that its
/// [rows] read from the database, row for row: item, kind, target, time, group, order. What differs would be answered
/// otherwise than it was measured.
///
/// Reads the database through a connection of its own, beside a server where there is one; events that still wait to be
/// indexed play no part. Throws InvalidInput where the database lacks what the scenario reads.
LiveCheck check_live(const std::string& bundle, const std::string& database, int64_t most_users = 200);

}  // namespace fewshop
