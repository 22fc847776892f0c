#pragma once

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "core/time.h"

namespace fewshop {

/// A number that was not given.
inline constexpr double kNotGiven = std::numeric_limits<double>::quiet_NaN();
inline bool given(double number) { return !std::isnan(number); }

/// One item of an event: one row of the table `events`.
struct EventItem {
  std::string item_id;
  double quantity = kNotGiven, price = kNotGiven, value = kNotGiven, rating = kNotGiven;
};

/// Something that happened in a shop, in canonical form: what every way in (our own events, Gorse's feedback, Segment,
/// GA4) is turned into, and what the table `events` holds, one row per item (docs/events.md).
struct Event {
  std::string event_id;  // unique for all time; two events with one id are one event
  Micros time = 0;
  std::string event;                                              // GA4's name: view_item, purchase, ...
  std::string user_id, client_id, session_id, recommendation_id;  // "" = not given
  std::vector<EventItem> items;                                   // none: one row without an item (a search, a page)
  double value = kNotGiven;                                       // of the whole event; of the row where it has no item
  std::string extra;                                              // a JSON object of what has no column; "" = nothing
  bool guest = false;           // came without user_id; user_id, where there is one, was filled in by a join
  bool personalization = true;  // consent; false: stored without user_id and client_id, support of nobody
};

/// A row of the table `events` as it is read back.
struct EventRow {
  std::string event_id;
  int32_t position = 0;  // of the item in its event
  Micros time = 0;
  std::string event, user_id, client_id, session_id, item_id;
  double quantity = kNotGiven, price = kNotGiven, value = kNotGiven, rating = kNotGiven;
  std::string recommendation_id, extra;
  bool guest = false;
};

}  // namespace fewshop
