#pragma once

#include <cstdint>
#include <string>

#include "core/error.h"

namespace fewshop {

class Shop;

struct LiveCheck {
  int64_t users = 0, rows = 0;  // compared
  std::string difference;       // the first one, as a sentence; "" = none
  std::string for_log;          // the same without the user's id: with its keyed hash, where there is a shop
};

/// A difference as the reason why a model is refused. what() names the user, for who asked; logs take for_log().
class RowsDiffer : public InvalidInput {
 public:
  explicit RowsDiffer(const LiveCheck& check) : InvalidInput(check.difference), for_log_(check.for_log) {}
  const std::string& for_log() const { return for_log_; }

 private:
  std::string for_log_;
};

/// Whether a model's scenario is the same online as offline: for up to `most_users` users with stored events (spread
/// over all of them), the support rows that its [live] makes of the table `events` are compared with those that its
/// [rows] read from the database, row for row: item, kind, target, time, group, order. What differs would be answered
/// otherwise than it was measured.
///
/// With a shop, which serves the database, live rows are those that its answers are made of: of the model in this
/// folder, where it is live, the rows in memory; of another one those that it would get. Without one they are all rows
/// that are stored. What [rows] makes is read through a connection of its own, of indexed events: the check waits for
/// those that come in between. Throws InvalidInput where the database lacks what the scenario reads.
LiveCheck check_live(const std::string& bundle, const std::string& database, int64_t most_users = 200,
                     Shop* shop = nullptr);

}  // namespace fewshop
