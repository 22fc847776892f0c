#include "http/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <map>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>

namespace fewshop::http {
namespace {

// From a do-nothing route (50 us) to a long training call.
const prometheus::Histogram::BucketBoundaries kSeconds = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.015,
                                                          0.025,  0.05,    0.1,    0.25,  0.5,    1,     2.5,  10};

}  // namespace

struct Metrics::Impl {
  std::shared_ptr<prometheus::Registry> registry = std::make_shared<prometheus::Registry>();
  prometheus::Family<prometheus::Histogram>& seconds = prometheus::BuildHistogram()
                                                           .Name("fewshop_server_rest_api_request_seconds")
                                                           .Help("Time from a request read to its answer ready.")
                                                           .Register(*registry);
  prometheus::Family<prometheus::Counter>& requests = prometheus::BuildCounter()
                                                          .Name("fewshop_server_requests_total")
                                                          .Help("Answered requests by route and status.")
                                                          .Register(*registry);

  // A family looks its members up by labels, under a lock; these are looked up once.
  struct OfRoute {
    std::string api;
    prometheus::Histogram* seconds = nullptr;
    std::map<int, prometheus::Counter*> by_status;
  };
  std::shared_mutex mutex;
  std::unordered_map<const Route*, OfRoute> routes;

  std::pair<prometheus::Histogram*, prometheus::Counter*> find(const Route* route, int status) {
    {
      const std::shared_lock lock(mutex);
      if (const auto at = routes.find(route); at != routes.end())
        if (const auto counter = at->second.by_status.find(status); counter != at->second.by_status.end())
          return {at->second.seconds, counter->second};
    }
    const std::unique_lock lock(mutex);
    OfRoute& of = routes[route];
    if (!of.seconds) {
      of.api = route ? std::string(method_name(route->method)) + " " + route->path : "other";
      of.seconds = &seconds.Add({{"api", of.api}}, kSeconds);
    }
    prometheus::Counter*& counter = of.by_status[status];
    if (!counter) counter = &requests.Add({{"api", of.api}, {"code", std::to_string(status)}});
    return {of.seconds, counter};
  }
};

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {}
Metrics::~Metrics() = default;

void Metrics::observe(const Route* route, int status, double seconds) {
  const auto [histogram, counter] = impl_->find(route, status);
  histogram->Observe(seconds);
  counter->Increment();
}

prometheus::Registry& Metrics::registry() { return *impl_->registry; }

std::string Metrics::text() const {
  if (look_) look_();
  return prometheus::TextSerializer().Serialize(impl_->registry->Collect());
}

void add_metrics_route(Router& router, const Metrics& metrics, const std::string& scope) {
  router.add({.method = Method::kGet,
              .path = "/metrics",
              .tag = "operations",
              .summary = "Counters and times in the text format of Prometheus.",
              .scope = scope,
              .response = {{"type", "string"}},
              .response_type = "text/plain",
              .handle =
                  [&metrics](const std::shared_ptr<const Request>&, const Reply& reply) {
                    reply({.body = metrics.text(), .content_type = "text/plain; version=0.0.4; charset=utf-8"});
                  },
              .vital = true});
}

}  // namespace fewshop::http
