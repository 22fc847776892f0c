#pragma once

#include <string_view>

#include "online/incoming.h"

namespace fewshop {

/// Reads a body of GA4's Measurement Protocol:
///
///     {"client_id": "c", "user_id": "u", "timestamp_micros": 1795334400000000, "non_personalized_ads": false,
///      "consent": {"ad_personalization": "DENIED"}, "user_properties": {"tier": {"value": "gold"}},
///      "events": [{"name": "view_item", "params": {"session_id": "s", "value": 9.99, "items": [{"item_id": "A"}]}}]}
///
/// Names are kept as they are, parameters without a column in `extra`; user properties become labels of the user.
/// The event's id is params.event_id; else, with a timestamp_micros, it follows from client, user, time, position, name
/// and parameters, so that a request sent twice is stored once; else it is new. non_personalized_ads, or a denied
/// ad_personalization, refuses personalization. Throws InvalidInput where there is no list of events.
Incoming parse_ga4(std::string_view body, const ParseContext& context);

}  // namespace fewshop
