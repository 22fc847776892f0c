// What those who run a server look at.
#include <unistd.h>

#include <chrono>

#include "http/routes/admin.h"

namespace fewshop::http {

using nlohmann::json;

void add_operation_routes(Router& router, const Api& api, std::function<std::string()> not_ready) {
  const auto started = std::chrono::steady_clock::now();
  router.add(
      {.method = Method::kGet,
       .path = "/api/dashboard/stats",
       .tag = "operations",
       .summary = "The server and the shop in numbers; what `fewshop ps` prints.",
       .scope = "data:read",
       .response = {{"type", "object"}},
       .handle = [api, started, not_ready = std::move(not_ready)](std::shared_ptr<const Request>, Reply reply) {
         const auto figures = api.shop.figures();
         json models = json::array();
         for (const auto& live : api.shop.scenarios())
           models.push_back({{"scenario", live.name}, {"version", live.version}});
         const std::string reason = not_ready();
         reply(Response::json(
             {{"version", FEWSHOP_VERSION},
              {"pid", ::getpid()},
              {"uptime_seconds", std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count()},
              {"ready", reason.empty()},
              {"reason", reason},
              {"users", figures.counts.users},
              {"items", figures.counts.items},
              {"events", figures.counts.events},
              {"events_queued", figures.queued},
              {"memory_rows", figures.rows.rows},
              {"memory_bytes", figures.rows.bytes},
              {"models", models}}));
       }});
}

}  // namespace fewshop::http
