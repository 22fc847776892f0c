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
  static constexpr std::string_view kNames[] = {"integrations", "_metadata", "receivedAt", "channel",
                                                "version",      "projectId", "ip"};
  return std::find(std::begin(kNames), std::end(kNames), key) != std::end(kNames);
}

/// What stands around the messages of a batch.
struct Around {
  std::optional<Micros> sent;
  std::optional<element> context;  // of messages that have none of their own
  Surroundings others;             // members that say nothing of the sender
  simdjson::dom::parser parser;    // what `context` is a part of
  std::string problem;             // why none of the messages can be taken
};

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

bool in_context(std::string_view key) {
  return key != "library" && key != "ip" && key != "traits" && key != "consent" && key != "writeKey";
}

/// The context without what is about the sender or has its place elsewhere, and what else stands around the message.
void keep_context(std::optional<element> context, const Surroundings& others, EventBuilder& builder, int depth) {
  JsonObject kept;
  object members;
  const bool given = context && !context->get(members);
  if (given)
    for (const auto [key, member] : members)
      if (in_context(key)) kept.add(key, member, depth);
  for (const auto& [name, value] : others) {
    element own;
    if (!given || members[name].get(own)) kept.member(name) += value;
  }
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

/// Fills the event.
void read_message(element value, std::string_view call, const ParseContext& context, const Around& around, Event& event,
                  std::string& message_id, Incoming& incoming) {
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
  event.time = message_time({timestamp, original, sent, around.sent}, context.now);
  const std::string_view type = call == "batch" ? std::string_view(message.type) : call;
  if (event.user_id.empty() && event.client_id.empty() && !(type == "alias"))
    refuse("userId, anonymousId: expected one of them, got none");
  auto said = consent_of(message);
  if (around.context) {
    Message batch;
    batch.context = around.context;
    if (!said) said = consent_of(batch);
    if (!message.context) message.context = around.context;
  }
  event.personalization = said.value_or(true);
  const auto traits = message.traits && event.personalization ? message.traits : std::nullopt;
  const auto finish = [&] {
    if (event.personalization) keep_context(message.context, around.others, builder, limits.depth - 1);
    builder.finish();
  };
  const auto note_consent = [&] {
    if (said) incoming.note_consent(event.user_id, event.client_id, *said);
  };

  if (type == "alias") {
    if (event.user_id.empty() || message.previous_id.empty())
      refuse("alias: expected previousId, the guest, and userId, the account");
    event.event = "alias";
    finish();
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
    finish();
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
  finish();
  note_consent();
}

/// Takes the envelope apart. Its values are copied: the messages may be read from another document.
void read_around(object members, const ParseContext& context, std::string_view list, Around& around,
                 std::string& write_key) {
  const ParseLimits& limits = context.limits;
  std::string text;
  for (const auto [key, member] : members) {
    object own;
    std::string_view secret;
    if (key == "writeKey") {
      if (!member.get(secret)) write_key = secret;
    } else if (member.is_null() || key == list || about_the_sender(key)) {
      continue;
    } else if (key == "sentAt") {
      try {
        around.sent = time_of(member, key, context.now);
      } catch (const BadValue&) {
        // As if it had not been said: the sender's clock is believed.
      }
    } else if (!in_context(key)) {
      continue;
    } else if (key == "context" && !member.get(own)) {
      JsonObject kept;
      for (const auto [name, value] : own)
        if (in_context(name) || name == "consent") kept.add(name, value, limits.depth - 1);
      text = std::move(kept).take();
    } else {
      note(key, member, around.others, limits);
    }
  }
  Surroundings all = around.others;
  all["context"] += text;
  check_shared(all, limits);
  element copy;
  if (!text.empty() && !around.parser.parse(text).get(copy)) around.context = copy;
}

}  // namespace

Incoming parse_segment(std::string_view body, std::string_view call, const ParseContext& context) {
  Incoming incoming;
  Reader reader;
  Around around;
  const std::string_view list = call == "batch" ? "batch" : "";
  reader.envelope = [&](object members) {
    try {
      read_around(members, context, list, around, incoming.write_key);
    } catch (const BadValue& bad) {
      around.problem = bad.reason;
    }
  };
  reader.value = [&](int64_t index, element value) {
    Event event;
    std::string message_id;
    try {
      if (!around.problem.empty()) throw BadValue{around.problem};
      read_message(value, call, context, around, event, message_id, incoming);
    } catch (const BadValue& bad) {
      incoming.refusals.push_back({index, message_id, bad.reason});
      return;
    }
    incoming.events.push_back(std::move(event));
    incoming.index.push_back(index);
  };
  reader.broken = [&](int64_t index, const std::string& reason) { incoming.refusals.push_back({index, "", reason}); };
  incoming.total = read(body, context, reader, list);
  return incoming;
}

}  // namespace fewshop
