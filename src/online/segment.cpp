#include "online/segment.h"

#include <algorithm>
#include <optional>

#include "core/error.h"
#include "online/body.h"
#include "online/event_names.h"

namespace fewshop {
namespace {

using namespace body;

/// The members of a message that are ours to use; null where they are not given.
struct Message {
  std::optional<element> event, group_id, name, category, properties, traits, context;
  std::string type, user_id, previous_id;
};

bool about_the_sender(std::string_view key) {
  static constexpr std::string_view kNames[] = {"integrations", "_metadata", "receivedAt",
                                                "channel",      "version",   "projectId"};
  return std::find(std::begin(kNames), std::end(kNames), key) != std::end(kNames);
}

/// What the message says about personalization, if anything.
std::optional<bool> consent_of(const Message& message) {
  const auto of = [](std::optional<element> within, std::string_view list,
                     std::string_view name) -> std::optional<bool> {
    object outer, consent, inner;
    if (!within || within->get(outer) || outer["consent"].get(consent)) return std::nullopt;
    if (list.empty())
      inner = consent;
    else if (consent[list].get(inner))
      return std::nullopt;
    element value;
    if (inner.at_key_case_insensitive(name).get(value) || value.is_null()) return std::nullopt;
    return boolean_of(value, "consent." + std::string(name));
  };
  std::optional<bool> said;
  for (const auto& one : {of(message.properties, "", "personalization"), of(message.context, "", "personalization"),
                          of(message.context, "categoryPreferences", "personalization"),
                          of(message.context, "categoryPreferences", "personalisation")})
    if (one) said = said.value_or(true) && *one;  // one refusal is enough
  return said;
}

void read_properties(object properties, Event& event, EventBuilder& builder) {
  double revenue = kNotGiven, total = kNotGiven;
  element product_id;
  const bool has_product_id = !properties["product_id"].get(product_id) && !product_id.is_null();
  for (const auto [key, member] : properties) {
    if (key == "products") {
      builder.items(member, key, {"product_id", "sku", "id", "item_id"});
    } else if (key == "product_id" || (key == "sku" && !has_product_id)) {
      builder.single_item(member, key);
    } else if (key == "query") {
      builder.keep("search_term", member);
    } else if (key == "order_id") {
      builder.keep("transaction_id", member);
    } else if (key != "consent" && !builder.take(key, member)) {
      if (key == "revenue") revenue = number_of(member, key);
      if (key == "total") total = number_of(member, key);
      builder.keep(key, member, "properties");
    }
  }
  if (!given(event.value)) event.value = given(revenue) ? revenue : total;
}

/// The context without what is about the sender or has its place elsewhere.
void keep_context(element value, EventBuilder& builder, int depth) {
  object members;
  if (value.get(members)) return;
  JsonObject kept;
  for (const auto [key, member] : members)
    if (key != "library" && key != "ip" && key != "traits" && key != "consent" && key != "writeKey")
      kept.add(key, member, depth);
  if (!kept.empty()) builder.extra().member("context") += std::move(kept).take();
}

/// The times that a message states.
struct MessageTimes {
  std::optional<element> timestamp, original, sent;
  std::optional<Micros> batch_sent;  // sentAt of the batch around it
};

/// When it happened, by the server's clock: how long before it was sent, by the sender's clock, taken off the time of
/// receipt (Segment's rule for its own `timestamp`). Where both times of the event are given Segment has corrected
/// `timestamp` already; where nothing says when it was sent, the sender's clock is believed.
Micros message_time(const MessageTimes& times, Micros now) {
  std::optional<Micros> happened;
  if (times.timestamp) happened = time_of(*times.timestamp, "timestamp", now);
  if (happened && times.original) return *happened;
  if (times.original) happened = time_of(*times.original, "originalTimestamp", now);
  const auto sent = times.sent ? time_of(*times.sent, "sentAt", now) : times.batch_sent;
  if (!happened || !sent) return happened.value_or(now);
  const Micros corrected = now - (*sent - *happened);
  return corrected >= 0 && corrected < kTimeEnd ? corrected
                                                : *happened;  // a clock that is off by centuries says nothing
}

/// Fills the event. `batch_sent`: sentAt of the batch around it.
void read_message(element value, std::string_view call, const ParseContext& context, std::optional<Micros> batch_sent,
                  Event& event, std::string& message_id, Incoming& incoming) {
  const ParseLimits& limits = context.limits;
  Message message;
  EventBuilder builder(event, context);
  std::optional<element> timestamp, original, sent;
  const object members = object_of(value, "the message");
  element id;
  if (!members["messageId"].get(id)) message_id = event.event_id = id_of(id, "messageId", limits);
  for (const auto [key, member] : members) {
    if (key == "writeKey") {
      std::string_view text;
      if (!member.get(text)) incoming.write_key = text;
    } else if (member.is_null() || key == "messageId") {
      continue;
    } else if (key == "type") {
      message.type = id_of(member, key, limits);
    } else if (key == "event") {
      message.event = member;
    } else if (key == "userId") {
      event.user_id = id_of(member, key, limits);
    } else if (key == "anonymousId") {
      event.client_id = id_of(member, key, limits);
    } else if (key == "previousId") {
      message.previous_id = id_of(member, key, limits);
    } else if (key == "groupId") {
      message.group_id = member;
    } else if (key == "name") {
      message.name = member;
    } else if (key == "category") {
      message.category = member;
    } else if (key == "properties") {
      message.properties = member;
    } else if (key == "traits") {
      message.traits = member;
    } else if (key == "context") {
      message.context = member;
    } else if (key == "timestamp") {
      timestamp = member;
    } else if (key == "originalTimestamp") {
      original = member;
    } else if (key == "sentAt") {
      sent = member;
    } else if (!about_the_sender(key)) {
      builder.keep(key, member, "message");
    }
  }
  event.time = message_time({timestamp, original, sent, batch_sent}, context.now);
  const std::string_view type = call == "batch" ? std::string_view(message.type) : call;
  if (event.user_id.empty() && event.client_id.empty() && !(type == "alias"))
    refuse("userId, anonymousId: expected one of them, got none");
  const auto said = consent_of(message);
  event.personalization = said.value_or(true);
  const auto traits = message.traits && event.personalization ? message.traits : std::nullopt;
  const auto note_consent = [&] {
    if (said) incoming.note_consent(event.user_id, event.client_id, *said);
  };

  if (type == "alias") {
    if (event.user_id.empty() || message.previous_id.empty())
      refuse("alias: expected previousId, the guest, and userId, the account");
    event.event = "alias";
    builder.finish();
    note_consent();
    if (event.personalization)
      incoming.identities.push_back({message.previous_id, event.user_id, true, incoming.with_next()});
    return;
  }
  if (type == "identify" && !event.user_id.empty()) {
    RecordPatch user{event.user_id, nlohmann::json::object(), incoming.with_next()};
    if (traits) {
      object_of(*traits, "traits");
      std::string text;
      append_json(*traits, text, limits.depth);
      if (text.size() > static_cast<size_t>(limits.extra_bytes))
        refuse("traits: expected up to {} bytes, got {}", limits.extra_bytes, text.size());
      user.changes["labels"] = copy_of(*traits, limits.depth);
    }
    event.event = "identify";
    builder.finish();
    note_consent();
    if (event.personalization) {
      if (!event.client_id.empty())
        incoming.identities.push_back({event.client_id, event.user_id, true, incoming.with_next()});
      incoming.users.push_back(std::move(user));
    }
    return;
  }

  if (type == "track") {
    if (!message.event) refuse("event: expected a name such as \"Product Viewed\", got none");
    event.event = canonical_event(id_of(*message.event, "event", limits, true));
  } else if (type == "page") {
    event.event = "page_view";
  } else if (type == "screen") {
    event.event = "screen_view";
  } else if (type == "group") {
    event.event = "group";
    if (message.group_id) builder.keep("group_id", *message.group_id);
  } else if (type == "identify") {
    event.event = "set_traits";  // of a guest, who has no record yet
  } else {
    refuse("type: expected track, identify, alias, page, screen or group, got \"{}\"", type);
  }
  object properties;
  if (message.properties) properties = object_of(*message.properties, "properties");
  for (const auto& [key, member] : {std::pair("name", message.name), std::pair("category", message.category)}) {
    element same;
    if (member && (!message.properties || properties[key].get(same))) builder.keep(key, *member);
  }
  if (message.properties) read_properties(properties, event, builder);
  if (traits) builder.keep("traits", *traits);
  if (message.context && event.personalization) keep_context(*message.context, builder, limits.depth - 1);
  builder.finish();
  note_consent();
}

}  // namespace

Incoming parse_segment(std::string_view body, std::string_view call, const ParseContext& context) {
  Incoming incoming;
  Reader reader;
  std::optional<Micros> sent;
  reader.envelope = [&](object around) {
    std::string_view key;
    if (!around["writeKey"].get(key)) incoming.write_key = key;
    element at;
    if (around["sentAt"].get(at) || at.is_null()) return;
    try {
      sent = time_of(at, "sentAt", context.now);
    } catch (const BadValue&) {
      // As if it had not been said: the sender's clock is believed.
    }
  };
  reader.value = [&](int64_t index, element value) {
    Event event;
    std::string message_id;
    try {
      read_message(value, call, context, sent, event, message_id, incoming);
    } catch (const BadValue& bad) {
      incoming.refusals.push_back({index, message_id, bad.reason});
      return;
    }
    incoming.events.push_back(std::move(event));
    incoming.index.push_back(index);
  };
  reader.broken = [&](int64_t index, const std::string& reason) { incoming.refusals.push_back({index, "", reason}); };
  incoming.total = read(body, context, reader, call == "batch" ? "batch" : "");
  return incoming;
}

}  // namespace fewshop
