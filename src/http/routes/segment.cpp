// The calls of Segment's clients. Their answer has to be {"success": true} or any 2xx; what was refused is listed.
#include "online/segment.h"

#include "http/routes/api.h"

namespace fewshop::http {

void add_segment_routes(Router& router, const Api& api) {
  for (const char* call : {"batch", "track", "identify", "alias", "page", "screen", "group"})
    router.add({.method = Method::kPost,
                .path = std::string("/v1/") + call,
                .tag = "segment",
                .summary = std::string("Segment's call ") + call + ".",
                .scope = "events:write",
                .body = {{"type", "object"}},
                .response = {{"type", "object"},
                             {"properties",
                              {{"success", {{"type", "boolean"}}},
                               {"accepted", {{"type", "integer"}}},
                               {"duplicates", {{"type", "integer"}}},
                               {"rejected", schema_ref("Rejected")}}}},
                .handle = [api, call = std::string(call)](std::shared_ptr<const Request> request, Reply reply) {
                  Incoming incoming = admitted(api, parse_segment(request->body, call, parse_context(api, *request)));
                  auto refusals = std::move(incoming.refusals);
                  submit(api, *request, change_of(incoming), std::move(reply), [refusals](const Outcome& outcome) {
                    return Response::json({{"success", true},
                                           {"accepted", outcome.accepted},
                                           {"duplicates", outcome.duplicates},
                                           {"rejected", to_json(refusals)}});
                  });
                }});
}

}  // namespace fewshop::http
