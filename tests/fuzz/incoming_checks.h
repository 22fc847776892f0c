#pragma once

#include <cstdlib>
#include <string>

#include "core/error.h"
#include "online/canonical_events.h"

namespace fewshop {

/// What holds of everything that a parser returns: every value of the body is accounted for at most once, events are
/// whole, and writing and reading an event changes nothing.
inline void check_incoming(const Incoming& incoming, const ParseContext& context) {
  if (incoming.events.size() != incoming.index.size()) std::abort();
  int64_t before = -1;
  for (const int64_t index : incoming.index) {
    if (index <= before || index >= incoming.total) std::abort();
    before = index;
  }
  for (const Refusal& refusal : incoming.refusals)
    if (refusal.index < 0 || refusal.index >= incoming.total || refusal.reason.empty()) std::abort();
  if (static_cast<int64_t>(incoming.events.size() + incoming.refusals.size()) > incoming.total) std::abort();
  ParseContext exported = context;
  exported.exported = true;
  for (const Event& event : incoming.events) {
    if (event.event_id.empty() || event.event.empty() || event.time < 0) std::abort();
    for (const EventItem& item : event.items)
      if (item.item_id.empty()) std::abort();
    const std::string text = to_json(event);
    const Incoming again = parse_canonical_events(text, exported);
    if (again.events.size() != 1 || to_json(again.events[0]) != text) std::abort();
  }
}

/// Calls `parse` with a context; bodies that cannot be read at all are fine.
template <class Parse>
void fuzz_body(const uint8_t* data, size_t size, Parse&& parse) {
  Random random(1);
  ParseContext context;
  context.now = 1'795'334'400 * kSecond;
  context.random = &random;
  try {
    parse(std::string_view(reinterpret_cast<const char*>(data), size), context);
  } catch (const InvalidInput&) {
  }
}

}  // namespace fewshop
