// Events in the canonical form.
#include "http/routes/api.h"
#include "online/canonical_events.h"

namespace fewshop::http {
namespace {

using nlohmann::json;

json event_schema() {
  const json text = {{"type", "string"}}, number = {{"type", "number"}};
  const json item = {
      {"type", "object"},
      {"required", {"item_id"}},
      {"properties",
       {{"item_id", text}, {"quantity", number}, {"price", number}, {"value", number}, {"rating", number}}}};
  return {{"type", "object"},
          {"required", {"event"}},
          {"properties",
           {{"event_id", text},
            {"event", text},
            {"timestamp", {{"type", {"string", "number"}}}},
            {"user_id", text},
            {"client_id", text},
            {"session_id", text},
            {"item_id", text},
            {"items", array_of(item)},
            {"value", number},
            {"recommendation_id", text},
            {"consent", {{"type", "object"}, {"properties", {{"personalization", {{"type", "boolean"}}}}}}}}}};
}

}  // namespace

void add_event_routes(Router& router, const Api& api) {
  router.define("Event", event_schema());
  router.define("EventsAnswer", {{"type", "object"},
                                 {"properties",
                                  {{"accepted", {{"type", "integer"}}},
                                   {"duplicates", {{"type", "integer"}}},
                                   {"rejected", schema_ref("Rejected")}}}});
  router.add({.method = Method::kPost,
              .path = "/api/events",
              .tag = "events",
              .summary = "Stores events: one, a list, or JSON lines. What is accepted is durable and in effect.",
              .scope = "events:write",
              .body = {{"oneOf", {schema_ref("Event"), array_of(schema_ref("Event"))}}},
              .response = schema_ref("EventsAnswer"),
              .handle = [api](std::shared_ptr<const Request> request, Reply reply) {
                Incoming incoming = admitted(api, parse_canonical_events(request->body, parse_context(api, *request)));
                auto refusals = std::move(incoming.refusals);
                submit(api, *request, change_of(incoming), std::move(reply), [refusals](const Outcome& outcome) {
                  return Response::json({{"accepted", outcome.accepted},
                                         {"duplicates", outcome.duplicates},
                                         {"rejected", to_json(refusals)}});
                });
              }});
}

}  // namespace fewshop::http
