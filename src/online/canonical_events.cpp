#include "online/canonical_events.h"

#include <algorithm>
#include <optional>

#include "core/error.h"
#include "core/time.h"
#include "online/body.h"
#include "online/event_names.h"

namespace fewshop {
namespace {

using namespace body;

/// "consent": {"personalization": false, ...}; what else it holds is kept.
void read_consent(element value, Event& event, EventBuilder& builder, std::optional<bool>& said, int depth) {
  if (value.is_null()) return;
  JsonObject rest;
  for (const auto [key, member] : object_of(value, "consent")) {
    if (key != "personalization")
      rest.add(key, member, depth);
    else if (!member.is_null())
      said = event.personalization = boolean_of(member, "consent.personalization");
  }
  if (!rest.empty()) builder.extra().member("consent") += std::move(rest).take();
}

/// The id of an event that may be refused, wherever it stands among the members; "" = none that can be read.
std::string readable_event_id(element value, const ParseLimits& limits) {
  object members;
  element id;
  if (value.get(members) || members["event_id"].get(id)) return "";
  try {
    return id_of(id, "event_id", limits);
  } catch (const BadValue&) {
    return "";
  }
}

void read_event(element value, const ParseContext& context, Event& event, Incoming& incoming) {
  const ParseLimits& limits = context.limits;
  event.time = context.now;
  EventBuilder builder(event, context);
  std::optional<bool> said;
  bool join = true;
  for (const auto [key, member] : object_of(value, "the event")) {
    if (key == "event")
      event.event = id_of(member, key, limits);
    else if (key == "event_id")
      event.event_id = id_of(member, key, limits);
    else if (key == "timestamp")
      event.time = time_of(member, key, context.now);
    else if (key == "user_id")
      event.user_id = id_of(member, key, limits);
    else if (key == "client_id")
      event.client_id = id_of(member, key, limits);
    else if (key == "consent")
      read_consent(member, event, builder, said, limits.depth);
    else if (!builder.take(key, member)) {
      if (key == "join" && member.is_bool()) join = bool(member);
      builder.keep(key, member);
    }
  }
  if (!context.exported) event.event = std::string(canonical_event(event.event));
  if (event.event.empty()) refuse("event: expected a name such as \"view_item\", got none");
  builder.finish();
  const bool identify = event.event == "identify" && !context.exported;
  if (identify && (event.client_id.empty() || (join && event.user_id.empty())))
    refuse("identify: expected client_id, the guest, and user_id, the account");
  if (said && !(event.user_id.empty() && event.client_id.empty()))
    incoming.note_consent(event.user_id, event.client_id, *said);
  if (identify) incoming.identities.push_back({event.client_id, event.user_id, join, incoming.with_next()});
}

/// The members of an object of `extra` but `without`, behind what `out` has already.
void append_members(object members, std::string& out, std::initializer_list<std::string_view> without = {}) {
  for (const auto [key, member] : members) {
    if (std::find(without.begin(), without.end(), key) != without.end()) continue;
    out += ',';
    append_json_text(key, out);
    out += ':';
    append_json(member, out, 1000);
  }
}

void append_text(std::string_view key, std::string_view text, std::string& out) {
  if (text.empty()) return;
  out += fmt::format(",\"{}\":", key);
  append_json_text(text, out);
}

void append_number(std::string_view key, double number, std::string& out) {
  if (!given(number)) return;
  out += fmt::format(",\"{}\":", key);
  append_json_number(number, out);
}

}  // namespace

Incoming parse_canonical_events(std::string_view text, const ParseContext& context) {
  Incoming incoming;
  Reader reader;
  reader.value = [&](int64_t index, element value) {
    Event event;
    try {
      read_event(value, context, event, incoming);
    } catch (const BadValue& bad) {
      incoming.refusals.push_back({index, readable_event_id(value, context.limits), bad.reason});
      return;
    }
    incoming.events.push_back(std::move(event));
    incoming.index.push_back(index);
  };
  reader.broken = [&](int64_t index, const std::string& reason) { incoming.refusals.push_back({index, "", reason}); };
  incoming.total = read(text, context, reader);
  return incoming;
}

std::string to_json(const Event& event) {
  simdjson::dom::parser parser;
  object extra;
  const bool has_extra =
      !event.extra.empty() && !parser.parse(event.extra).get(extra);  // what is no object has no place
  std::string out = "{\"event_id\":";
  append_json_text(event.event_id, out);
  append_text("event", event.event, out);
  append_text("timestamp", format_time(event.time), out);
  if (!event.guest) append_text("user_id", event.user_id, out);
  append_text("client_id", event.client_id, out);
  append_text("session_id", event.session_id, out);
  append_text("recommendation_id", event.recommendation_id, out);
  if (!event.items.empty()) {
    array items_extra;
    const bool with_extra = has_extra && !extra["items"].get(items_extra);
    out += ",\"items\":[";
    for (size_t i = 0; i < event.items.size(); ++i) {
      const EventItem& item = event.items[i];
      out += i ? ",{\"item_id\":" : "{\"item_id\":";
      append_json_text(item.item_id, out);
      append_number("quantity", item.quantity, out);
      append_number("price", item.price, out);
      append_number("value", item.value, out);
      append_number("rating", item.rating, out);
      object members;
      if (with_extra && !items_extra.at(i).get(members)) append_members(members, out);
      out += '}';
    }
    out += ']';
  }
  append_number("value", event.value, out);
  object consent;
  const bool with_consent = has_extra && !extra["consent"].get(consent);
  if (with_consent || !event.personalization) {
    std::string members;
    if (!event.personalization) members += ",\"personalization\":false";
    if (with_consent) append_members(consent, members);
    out += ",\"consent\":{" + members.substr(members.empty() ? 0 : 1) + '}';
  }
  if (has_extra) append_members(extra, out, {"items", "consent"});
  return out + '}';
}

Event event_of_rows(std::span<const EventRow> rows) {
  Event event;
  if (rows.empty()) return event;
  const EventRow& first = rows.front();
  event.event_id = first.event_id;
  event.time = first.time;
  event.event = first.event;
  event.user_id = first.user_id;
  event.client_id = first.client_id;
  event.session_id = first.session_id;
  event.recommendation_id = first.recommendation_id;
  event.guest = first.guest;
  for (const EventRow& row : rows) {
    if (event.extra.empty()) event.extra = row.extra;
    if (!row.item_id.empty()) event.items.push_back({row.item_id, row.quantity, row.price, row.value, row.rating});
  }
  if (event.items.empty()) event.value = first.value;
  // The value of an event with several items has no row of its own.
  if (rows.size() > 1 && event.extra.find("\"value\"") != std::string::npos) {
    auto extra = nlohmann::json::parse(event.extra, nullptr, false);
    if (extra.is_object() && extra.contains("value") && extra["value"].is_number()) {
      event.value = extra["value"];
      extra.erase("value");
      event.extra = extra.empty() ? "" : extra.dump();
    }
  }
  return event;
}

}  // namespace fewshop
