#pragma once

#include <string>

#include "scenario/scenario.h"
#include "store/event.h"

namespace fewshop {

/// Which part of an event's row a scenario's column is: a column of `events`, or a member of the JSON object `extra`
/// that [rows] reads under its name (json_extract(extra, '$.invoice') as invoice).
struct EventField {
  std::string name;  // "" = none
  bool in_extra = false;
  bool operator==(const EventField&) const = default;

  /// The value as text, as Value::to_text() writes it: "" where it is not given.
  std::string text(const EventRow& row) const;
  /// The value as a number; kNotGiven where it is not given or none.
  double number(const EventRow& row) const;
};

/// The fields that hold what rows.weight and episode.ties of a scenario name. None where live rows need none, as for
/// ties = "time" or "event_id". Throws InvalidInput naming the part where no event has such a column.
EventField weight_field(const Scenario& scenario);
EventField tie_field(const Scenario& scenario);

}  // namespace fewshop
