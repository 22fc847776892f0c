#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "store/event.h"

namespace fewshop {

/// A batch of events as the queue keeps it, one BLOB a batch:
///
///     byte     version, 1
///     varint   number of events; then for each
///       varint   flags: 1 guest, 2 value given; the number of items in the bits from 8 on
///       zigzag   time, as the difference from the event before
///       texts    event_id, event, user_id, client_id, session_id, recommendation_id, extra (varint length, bytes)
///       8 bytes  value, where given
///       for each item: text item_id; byte, bits 1 quantity, 2 price, 4 value, 8 rating given; 8 bytes for each given
///
/// Numbers are little endian. `personalization` is not kept: what it forbids to keep is gone before.
std::string encode_events(std::span<const Event> events);

/// Throws InvalidInput for another version or for bytes that are no batch.
std::vector<Event> decode_events(std::string_view bytes);

/// The rows of `events` that an event stands for: one for each item, one without an item where there is none. The value
/// of the whole event is the row's where there is one row; beside several items it is kept in `extra`.
std::vector<EventRow> rows_of(const Event& event);
inline size_t row_count(const Event& event) { return event.items.empty() ? 1 : event.items.size(); }
EventRow row_of(const Event& event, size_t position);

}  // namespace fewshop
