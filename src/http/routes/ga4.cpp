// Google Analytics' Measurement Protocol, so that a tag manager can send events on.
#include "online/ga4.h"

#include "http/routes/api.h"

namespace fewshop::http {

void add_ga4_routes(Router& router, const Api& api) {
  router.add(
      {.method = Method::kPost,
       .path = "/mp/collect",
       .tag = "ga4",
       .summary = "GA4's Measurement Protocol; `api_secret` of the query is the key.",
       .scope = "events:write",
       .body = {{"type", "object"},
                {"required", {"events"}},
                {"properties", {{"client_id", {{"type", "string"}}}, {"events", array_of({{"type", "object"}})}}}},
       .response = schema_ref("EventsAnswer"),
       .handle = [api](std::shared_ptr<const Request> request, Reply reply) {
         Incoming incoming = admitted(api, parse_ga4(request->body, parse_context(api, *request)));
         auto refusals = std::move(incoming.refusals);
         submit(api, *request, change_of(incoming), std::move(reply), [refusals](const Outcome& outcome) {
           return Response::json(
               {{"accepted", outcome.accepted}, {"duplicates", outcome.duplicates}, {"rejected", to_json(refusals)}});
         });
       }});
}

}  // namespace fewshop::http
