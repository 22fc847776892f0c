#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "http/route.h"
#include "http/router.h"

namespace fewshop::http {

/// An HTTP/1.1 server over TCP (plain or TLS) and, for administrators, over a Unix socket.
///
///   Router router;
///   router.add({.path = "/api/ping", .tag = "ops", .summary = "Answers.", .handle = [](auto request, Reply reply) {
///     reply(Response::json({{"pong", true}}));
///   }});
///   Server server(router, {.port = 8087});
///   server.start();      // returns when it listens
///   server.stop();       // finishes what is in flight, then closes
///
/// Every connection belongs to one of the I/O threads; handlers run there and must not block. Whatever a handler throws
/// becomes an answer: HttpError its status, InvalidInput 400 "invalid_request", Failure 503 "unavailable", anything
/// else 500 "internal", whose reason goes to `log_error` and not to the client.
struct ServerOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 0;        // 0: any free one, see Server::port
  bool tcp = true;          // false: the Unix socket only
  size_t threads = 2;       // of I/O
  std::string unix_socket;  // path of the admin socket (mode 0600, its requests have local_admin); "" = none
  std::string tls_certificate, tls_key;  // PEM files; both or none

  size_t max_header = 16 << 10;  // request line and headers; beyond: 414, 431
  size_t max_body = 64 << 20;    // as sent; beyond: 413
  size_t max_decompressed_body = 256 << 20;
  size_t max_buffered = size_t{1} << 30;  // bodies of all requests together; beyond: 503
  size_t max_connections = 20'000;        // beyond: 503 and closed
  size_t max_in_flight = 1'000;           // requests that wait for their answer; beyond: 503 with Retry-After

  double header_seconds = 10;  // from the first byte of a request to the end of its headers; TLS handshakes too
  double body_seconds = 60;    // for the body
  double write_seconds = 60;   // for the answer to be taken
  double idle_seconds = 75;    // between requests
  double drain_seconds = 20;   // for requests in flight, when the server stops

  size_t compress_from = 1 << 10;         // answers of at least as many bytes, where the client takes it
  std::vector<std::string> cors_origins;  // "https://shop.example", or "*"
};

struct ServerHooks {
  /// Before the handler; throws HttpError 401, 403 or 429 to refuse, and says what else the request is limited to
  /// (Request::scenarios). May block no more than a handler may.
  std::function<void(Request&, const Route*)> authorize;
  /// After every answer, on an I/O thread. Route: null where none matched. Seconds: from the whole request read to its
  /// answer ready. Bytes: of the body as sent.
  std::function<void(const Request&, const Route*, int status, double seconds, size_t bytes)> observe;
  /// The reason of a 500. Default: standard error.
  std::function<void(const Request&, const Route*, const std::string&)> log_error;
};

class Server {
 public:
  using Options = ServerOptions;
  using Hooks = ServerHooks;

  /// The router must outlive the server.
  Server(const Router& router, Options options, Hooks hooks = {});
  ~Server();  // stops
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Listens and serves. Throws InvalidInput (no such address, broken certificate) or Failure (port taken).
  void start();
  /// Accepts no more, answers the requests in flight with "Connection: close", waits for them up to drain_seconds, then
  /// closes everything. Returns when all threads ended. A Reply that comes later does nothing. Not from a handler.
  void stop();

  uint16_t port() const;
  size_t connections() const;
  size_t in_flight() const;
  bool draining() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fewshop::http
