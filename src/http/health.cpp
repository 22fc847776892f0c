#include "http/health.h"

#include <utility>

namespace fewshop::http {

void add_health_routes(Router& router, std::function<std::string()> not_ready) {
  const nlohmann::json schema = {{"type", "object"}, {"properties", {{"status", {{"type", "string"}}}}}};
  router.add({.method = Method::kGet,
              .path = "/api/health/live",
              .tag = "operations",
              .summary = "Whether the process serves.",
              .scope = "",
              .response = schema,
              .handle =
                  [](const std::shared_ptr<const Request>&, const Reply& reply) {
                    reply(Response::json({{"status", "live"}}));
                  },
              .vital = true});
  router.add(
      {.method = Method::kGet,
       .path = "/api/health/ready",
       .tag = "operations",
       .summary = "Whether requests should be sent here; 503 with the reason where not.",
       .scope = "",
       .response = schema,
       .handle =
           [not_ready = std::move(not_ready)](const std::shared_ptr<const Request>& request, const Reply& reply) {
             const std::string reason = not_ready ? not_ready() : "";
             reply(reason.empty() ? Response::json({{"status", "ready"}})
                                  : Response::error({503, "not_ready", reason}, request->id));
           },
       .vital = true});
}

}  // namespace fewshop::http
