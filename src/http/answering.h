#pragma once

#include <memory>
#include <optional>

#include "http/aside.h"
#include "http/connection.h"
#include "http/cors.h"
#include "http/request_reader.h"
#include "http/router.h"
#include "http/server.h"

namespace fewshop::http {

/// From the headers of a request to its answer: which route, who may, which thread, what every answer has. Knows
/// nothing of sockets. Included by server.cpp and its own source only: connection.h is costly.
///
/// Threads: each Loop's own, at the same time; stop() once, when no Loop asks any more.
class Answering {
 public:
  /// What is known of a request once its headers are there.
  struct Plan {
    const Route* route = nullptr;
    bool head = false;         // HEAD: the answer goes without its body
    bool old_version = false;  // HTTP/1.0
  };

  /// All three must outlive it.
  Answering(const Router& router, const ServerOptions& options, const ServerHooks& hooks)
      : router_(router), options_(options), hooks_(hooks), cors_(options.cors_origins) {}

  /// What can be said once the headers are there: the route and decoded parameters, or an answer at once.
  std::optional<Response> prepare(RequestReader& reader, Plan& plan) const;
  /// Has the request answered: at once, with those that were read together with it, or on a thread aside.
  void dispatch(Loop& loop, const std::shared_ptr<Request>& request, const Route& route,
                const std::shared_ptr<Exchange>& exchange);
  /// Coding and headers that every answer has.
  void finish(const Request& request, Response& response) const;
  /// Tells the hook. Route: null where none matched. Seconds: from the whole request read to its answer ready.
  void observe(const Request& request, const Route* route, int status, double seconds, size_t bytes) const noexcept;
  /// Ends the thread aside; what waits for it is dropped.
  void stop() { aside_.stop(); }

 private:
  static constexpr size_t kMostAside = 256;  // requests that wait for the thread of those that take long

  Response answer_of_current_exception(const Request& request, const Route* route) const;
  void gather(Loop& loop, const std::shared_ptr<const Request>& request, const Route& route,
              const std::shared_ptr<ReplyState>& state);
  void answer_gathered(Loop& loop);
  void handle(const std::shared_ptr<const Request>& request, const Route& route,
              const std::shared_ptr<ReplyState>& state) const;

  const Router& router_;
  const ServerOptions& options_;
  const ServerHooks& hooks_;
  const Cors cors_;
  Aside aside_{kMostAside};  // last: its thread uses the others
};

}  // namespace fewshop::http
