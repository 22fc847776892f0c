#pragma once

#include <span>
#include <string>
#include <string_view>

#include "online/incoming.h"

namespace fewshop {

/// Reads a body of canonical events (docs/events.md): one object, a list, or one object a line.
///
///     {"event_id": "e1", "event": "view_item", "timestamp": "2026-11-22T08:00:00Z", "user_id": "u1",
///      "client_id": "anon-9", "session_id": "s1", "items": [{"item_id": "SKU_1", "price": 9.99, "quantity": 1}]}
///
/// Only `event` must be there; it may be an alias (event_names.h). An event "identify" with client_id and user_id is an
/// identity; with "join": false one that is undone. Events that do not fit are refusals. Throws InvalidInput for a body
/// that cannot be read at all.
Incoming parse_canonical_events(std::string_view body, const ParseContext& context);

/// The event as canonical JSON, in one line; parse_canonical_events with `exported` makes the same event of it. The
/// user_id of a guest that was filled in by a join is left out.
std::string to_json(const Event& event);

/// The event whose rows these are, in the order of their positions.
Event event_of_rows(std::span<const EventRow> rows);

}  // namespace fewshop
