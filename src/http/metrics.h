#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "http/route.h"
#include "http/router.h"

namespace prometheus {
class Registry;
}

namespace fewshop::http {

/// What /metrics shows, in the text format of Prometheus. The server's own families:
///   fewshop_server_rest_api_request_seconds{api}   histogram
///   fewshop_server_requests_total{api,code}        counter
/// `api` is a method and the template of a route ("GET /api/user/{user-id}"), never an id; requests that no route
/// matched count as "other". Other parts add families of their own to the registry. Safe from any thread.
class Metrics {
 public:
  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  /// One answered request: what Server's hook `observe` passes on.
  void observe(const Route* route, int status, double seconds);

  prometheus::Registry& registry();
  std::string text() const;
  /// What sets the gauges of other parts, before every text().
  void before_text(std::function<void()> look) { look_ = std::move(look); }

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  std::function<void()> look_;
};

/// GET /metrics. The metrics must outlive the router. `scope`: what a key must allow, "" = open.
void add_metrics_route(Router& router, const Metrics& metrics, const std::string& scope = "admin");

}  // namespace fewshop::http
