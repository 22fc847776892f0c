#pragma once

#include <sys/resource.h>

#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "http/client.h"
#include "http/server.h"

namespace fewshop::http {

/// Routes for tests, and a server of them on a free port.
class Serve {
 public:
  using Options = Server::Options;

  explicit Serve(Options options = {}, Server::Hooks hooks = {})
      : options_(std::move(options)), hooks_(std::move(hooks)) {
    if (!hooks_.log_error) hooks_.log_error = [](const Request&, const Route*, const std::string&) {};
    get("/ping", [](auto, Reply reply) { reply(Response::json({{"pong", true}})); });
    get("/user/{id}", [](auto request, Reply reply) {
      reply(Response::json({{"id", request->parameter("id")}, {"query", request->query}}));
    });
    add(Method::kPost, "/echo",
        [](auto request, Reply reply) { reply({.body = request->body, .content_type = "text/plain"}); });
    add(Method::kPost, "/size", [](auto request, Reply reply) { reply(Response::json(request->body.size())); });
  }

  void get(const std::string& path, std::function<void(std::shared_ptr<const Request>, Reply)> handle) {
    add(Method::kGet, path, std::move(handle));
  }
  void add(Method method, const std::string& path, std::function<void(std::shared_ptr<const Request>, Reply)> handle) {
    router.add({.method = method,
                .path = path,
                .tag = "test",
                .summary = "A test.",
                .scope = "",
                .handle = std::move(handle)});
  }

  /// Starts at the first use, when all routes are there.
  Server& server() {
    if (!server_) {
      server_ = std::make_unique<Server>(router, options_, hooks_);
      server_->start();
    }
    return *server_;
  }
  std::string address() { return "http://127.0.0.1:" + std::to_string(server().port()); }
  std::unique_ptr<Client> client(double seconds = 30) { return std::make_unique<Client>(address(), seconds); }

  Router router;

 private:
  Options options_;
  Server::Hooks hooks_;
  std::unique_ptr<Server> server_;
};

inline nlohmann::json body_of(const Answer& answer) { return nlohmann::json::parse(answer.body); }
inline std::string code_of(const Answer& answer) { return body_of(answer).at("error").at("code"); }

inline std::string simple(const std::string& target, const std::string& more = "") {
  return "GET " + target + " HTTP/1.1\r\nHost: x\r\n" + more + "\r\n";
}

/// Waits half a minute for what another thread does.
template <class F>
bool eventually(F&& f) {
  for (int i = 0; i < 3000; ++i) {
    if (f()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

/// Open while it lives; ends a handler's waiting.
class Gate {
 public:
  void open() { promise_.set_value(); }
  void wait() { future_.wait(); }

 private:
  std::promise<void> promise_;
  std::shared_future<void> future_ = promise_.get_future().share();
};

}  // namespace fewshop::http
