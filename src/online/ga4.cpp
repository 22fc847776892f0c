#include "online/ga4.h"

#include <optional>

#include "core/error.h"
#include "core/hash.h"
#include "online/body.h"
#include "online/event_names.h"

namespace fewshop {
namespace {

using namespace body;

/// What stands around the events.
struct Request {
  std::string user_id, client_id;
  std::optional<Micros> time;
  std::optional<bool> personalization;
  nlohmann::json labels = nlohmann::json::object();
  Surroundings around;  // whatever else there is
  std::string consent;  // what it says beside ad_personalization, as JSON; "" = nothing
  std::string problem;  // why none of its events can be taken
};

nlohmann::json traits_of(element properties, const ParseLimits& limits) {
  nlohmann::json labels = nlohmann::json::object();
  for (const auto [key, property] : object_of(properties, "user_properties")) {
    object inner;
    element value = property;
    if (!property.get(inner) && inner["value"].get(value)) continue;
    labels[std::string(key)] = copy_of(value, limits.depth);
  }
  if (const size_t size = labels.dump().size(); size > static_cast<size_t>(limits.extra_bytes))
    refuse("user_properties: expected up to {} bytes, got {}", limits.extra_bytes, size);
  return labels;
}

/// What is never kept: the sender's secret, and addresses.
bool secret(std::string_view key) { return key == "api_secret" || key == "ip_override" || key == "ip"; }

void read_consent(object consent, const ParseLimits& limits, Request& request) {
  JsonObject rest;
  for (const auto [key, member] : consent)
    if (key != "ad_personalization") rest.add(key, member, limits.depth);
  request.consent = std::move(rest).take();
  std::string_view said;
  if (consent["ad_personalization"].get(said)) return;
  if (said == "DENIED")
    request.personalization = false;
  else if (said == "GRANTED" && !request.personalization)
    request.personalization = true;
}

void read_request(object around, const ParseContext& context, Request& request) {
  std::string app;
  std::optional<element> properties;
  for (const auto [key, member] : around) {
    if (member.is_null() || key == "events") continue;
    if (key == "client_id")
      request.client_id = id_of(member, key, context.limits);
    else if (key == "app_instance_id")
      app = id_of(member, key, context.limits);
    else if (key == "user_id")
      request.user_id = id_of(member, key, context.limits);
    else if (key == "timestamp_micros")
      request.time = time_of(member, key, context.now);
    else if (key == "non_personalized_ads") {
      if (boolean_of(member, key)) request.personalization = false;
    } else if (key == "consent")
      read_consent(object_of(member, key), context.limits, request);
    else if (key == "user_properties")
      properties = member;
    else if (!secret(key))
      note(key, member, request.around, context.limits);
  }
  if (request.client_id.empty()) request.client_id = std::move(app);
  if (request.client_id.empty() && request.user_id.empty())
    refuse("client_id, user_id: expected one of them, got none");
  if (properties) {
    // Labels of the user; a guest has no record that they could be labels of.
    request.labels = traits_of(*properties, context.limits);
    if (request.user_id.empty()) note("user_properties", *properties, request.around, context.limits);
  }
  check_shared(request.around, context.limits);
  if (request.consent.size() > static_cast<size_t>(context.limits.shared_bytes))
    refuse("consent: expected up to {} bytes, got {}", context.limits.shared_bytes, request.consent.size());
}

/// Other names of the same thing are taken as everywhere, but GA4's own `click` is a link that leads away.
std::string name_of_event(element name, const ParseLimits& limits) {
  const std::string text = id_of(name, "name", limits, true);
  return text == "click" ? text : std::string(canonical_event(text));
}

std::string derived_id(const Request& request, const Event& event, int64_t index, std::string_view params) {
  const auto id = [&](std::string_view part) {
    Fingerprint print;
    print.add(part).add(request.client_id).add(request.user_id).add(event.time).add(index);
    return print.add(event.event).add(params).hex();
  };
  return "ga4-" + id("high") + id("low");
}

void read_event(element value, int64_t index, const Request& request, const ParseContext& context, Event& event,
                std::string& event_id) {
  const ParseLimits& limits = context.limits;
  std::optional<element> name, params;
  auto time = request.time;
  const bool named = request.personalization.value_or(true);
  Surroundings around;
  if (named) around = request.around;
  for (const auto [key, member] : object_of(value, "the event")) {
    if (member.is_null()) continue;
    if (key == "name")
      name = member;
    else if (key == "params")
      params = member;
    else if (key == "timestamp_micros")
      time = time_of(member, key, context.now);
    else if (named && !secret(key))
      note(key, member, around, limits);  // what is said of the one event counts before what is said of all
  }
  if (!name) refuse("name: expected the name of the event, got none");
  event.event = name_of_event(*name, limits);
  event.time = time.value_or(context.now);
  event.user_id = request.user_id;
  event.client_id = request.client_id;
  event.personalization = named;
  EventBuilder builder(event, context);
  std::string session;
  if (params)
    for (const auto [key, member] : object_of(*params, "params")) {
      if (key == "event_id")
        event_id = event.event_id = id_of(member, "params.event_id", limits);
      else if (key == "ga_session_id")
        session = id_of(member, key, limits);
      else if (!builder.take(key, member))
        builder.keep(key, member, "params");
    }
  if (event.session_id.empty()) event.session_id = session;
  if (event.event_id.empty() && time) {
    std::string text;
    if (params) append_json(*params, text, limits.depth);
    event.event_id = derived_id(request, event, index, text);
  }
  builder.keep_context(around);
  if (!request.consent.empty()) builder.extra().member("consent") += request.consent;
  builder.finish();
}

}  // namespace

Incoming parse_ga4(std::string_view body, const ParseContext& context) {
  Incoming incoming;
  Request request;
  bool has_events = false;
  Reader reader;
  reader.envelope = [&](object around) {
    has_events = true;
    try {
      read_request(around, context, request);
    } catch (const BadValue& bad) {
      request.problem = bad.reason;
      return;
    }
    if (request.personalization) incoming.note_consent(request.user_id, request.client_id, *request.personalization);
    if (!request.labels.empty() && !request.user_id.empty() && request.personalization.value_or(true))
      incoming.users.push_back({request.user_id, {{"labels", request.labels}}, incoming.with_next()});
  };
  reader.value = [&](int64_t index, element value) {
    require(has_events, "expected an object with a list \"events\", got ", shown(value));
    Event event;
    std::string event_id;
    try {
      if (!request.problem.empty()) throw BadValue{request.problem};
      read_event(value, index, request, context, event, event_id);
    } catch (const BadValue& bad) {
      incoming.refusals.push_back({index, event_id, bad.reason});
      return;
    }
    // The envelope's consent came with the first event. It comes with each: of a request in part sent again, the first
    // may be a duplicate.
    if (request.personalization && !incoming.events.empty())
      incoming.note_consent(request.user_id, request.client_id, *request.personalization);
    incoming.events.push_back(std::move(event));
    incoming.index.push_back(index);
  };
  reader.broken = [&](int64_t index, const std::string& reason) { incoming.refusals.push_back({index, "", reason}); };
  incoming.total = read(body, context, reader, "events");
  require(has_events, "expected an object with a list \"events\"");
  return incoming;
}

}  // namespace fewshop
