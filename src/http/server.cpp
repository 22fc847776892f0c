// All of Beast, Asio and TLS is in this file and connection.h: each file that includes them costs tens of seconds of
// compiling.
#include "http/server.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <random>
#include <thread>

#include "core/error.h"
#include "core/hash.h"
#include "core/random.h"
#include "http/answer_head.h"
#include "http/aside.h"
#include "http/coding.h"
#include "http/connection.h"
#include "http/cors.h"
#include "http/request_reader.h"
#include "http/tls_context.h"
#include "http/url.h"

namespace fewshop::http {
namespace {

using asio::ip::tcp;

constexpr size_t kSkippedBody = 64 << 10;    // a refused body up to here is read and dropped: the connection lives
constexpr size_t kMostCompressed = 4 << 20;  // of an answer: more would hold up the thread's other connections
constexpr size_t kMostAside = 256;           // requests that wait for the thread of those that take long
constexpr size_t kMostTogether = 4;          // requests that are answered together
constexpr size_t kLinger = 1 << 20;          // what is read and dropped after an answer that closes

bool is_sensible_id(std::string_view id) {
  if (id.empty() || id.size() > 128) return false;
  for (const char c : id)
    if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '_' ||
          c == '.' || c == ':'))
      return false;
  return true;
}

}  // namespace

struct Server::Impl {
  Impl(const Router& routes, Options given, Hooks given_hooks)
      : router(routes), options(std::move(given)), hooks(std::move(given_hooks)), cors(options.cors_origins) {
    require(options.tls_certificate.empty() == options.tls_key.empty(),
            "TLS needs a certificate and a key: give both files or none");
    require(options.tcp || !options.unix_socket.empty(), "a server needs an address or a Unix socket");
    if (options.threads == 0) options.threads = 1;
    if (!hooks.log_error)
      hooks.log_error = [](const Request& request, const Route* route, const std::string& message) {
        std::fprintf(stderr, "error: request %s (%s): %s\n", request.id.c_str(), route ? route->path.c_str() : "-",
                     message.c_str());
      };
  }

  // --- starting and stopping ---

  void load_tls() {
    if (options.tls_certificate.empty()) return;
    tls = std::make_unique<TlsContext>(options.tls_certificate, options.tls_key, [this](const std::string& problem) {
      hooks.log_error(Request{}, nullptr, problem);
    });
  }

  void listen_tcp() {
    if (!options.tcp) return;
    ErrorCode error;
    tcp::resolver resolver(loops[0]->context);
    const auto found = resolver.resolve(options.host, std::to_string(options.port), tcp::resolver::passive, error);
    if (error || found.empty())
      throw InvalidInput("host '" + options.host + "' is not an address of this machine: " + error.message());
    const tcp::endpoint endpoint = found.begin()->endpoint();
    tcp_acceptor.emplace(loops[0]->context.get_executor());
    tcp_acceptor->open(endpoint.protocol());
    tcp_acceptor->set_option(asio::socket_base::reuse_address(true));
    if (tcp_acceptor->bind(endpoint, error); !error) tcp_acceptor->listen(4096, error);
    if (error)
      throw Failure(fmt::format("cannot listen on {} port {}: {}", options.host, options.port, error.message()));
    bound_port = tcp_acceptor->local_endpoint().port();
  }

  void listen_unix() {
    const std::string& path = options.unix_socket;
    if (path.empty()) return;
    require(path.size() < sizeof(sockaddr_un::sun_path), "the path of a Unix socket has at most ",
            sizeof(sockaddr_un::sun_path) - 1, " characters: ", path);
    ErrorCode error;
    const asio::local::stream_protocol::endpoint endpoint(path);
    // What a killed server left is in the way; a living one is not pushed aside.
    asio::local::stream_protocol::socket probe(loops[0]->context);
    if (probe.connect(endpoint, error); !error) throw Failure(path + ": another server answers there");
    struct stat status {};
    if (::lstat(path.c_str(), &status) == 0) {
      require(S_ISSOCK(status.st_mode), path, ": is there and is not a socket");
      ::unlink(path.c_str());
    }
    unix_acceptor.emplace(loops[0]->context.get_executor());
    unix_acceptor->open();
    // Before bind, so that nobody can connect in between.
    ::fchmod(unix_acceptor->native_handle(), 0600);
    error = {};
    if (unix_acceptor->bind(endpoint, error); !error) unix_acceptor->listen(128, error);
    if (error) throw Failure(path + ": cannot listen: " + error.message());
    ::chmod(path.c_str(), 0600);
    owns_unix_path = true;
  }

  void start() {
    if (started) throw std::logic_error("a server starts once");
    started = true;
    for (size_t i = 0; i < options.threads; ++i) loops.push_back(std::make_shared<Loop>(entropy()));
    try {
      load_tls();
      listen_tcp();
      listen_unix();
    } catch (...) {
      release_listeners();
      tcp_acceptor.reset();
      unix_acceptor.reset();
      loops.clear();
      throw;
    }
    for (const auto& loop : loops) {
      asio::co_spawn(loop->context, watch(*loop), asio::detached);
      work.emplace_back(loop->context.get_executor());
    }
    if (tcp_acceptor) asio::co_spawn(loops[0]->context, accept_all(*tcp_acceptor), asio::detached);
    if (unix_acceptor) asio::co_spawn(loops[0]->context, accept_all(*unix_acceptor), asio::detached);
    for (const auto& loop : loops) loop->thread = std::thread([this, loop] { run(*loop); });
  }

  void run(Loop& loop) {
    for (;;) {
      try {
        loop.context.run();
        return;
      } catch (const std::exception& e) {
        // Only what runs outside of a connection's coroutine ends here, such as memory that ran out while accepting.
        hooks.log_error(Request{}, nullptr, e.what());
      }
    }
  }

  void release_listeners() {
    ErrorCode ignored;
    if (tcp_acceptor) tcp_acceptor->close(ignored);
    if (unix_acceptor) unix_acceptor->close(ignored);
    if (owns_unix_path) ::unlink(options.unix_socket.c_str());
    owns_unix_path = false;
  }

  void stop() {
    std::unique_lock lock(stop_mutex);
    if (loops.empty() || stopped) return;
    stopped = true;
    draining = true;
    for (const auto& loop : loops)
      asio::post(loop->context, [this, loop = loop.get()] {
        loop->draining = true;
        if (loop == loops[0].get()) release_listeners();
        for (Connection* connection : loop->connections)
          if (connection->idle) connection->cancel();
      });
    std::unique_lock wait(count_mutex);
    const auto none = [&] { return open_connections == 0; };
    count_changed.wait_until(wait, after(options.drain_seconds), none);
    for (const auto& loop : loops)
      asio::post(loop->context, [loop = loop.get()] {
        loop->closing = true;
        for (Connection* connection : loop->connections) {
          connection->cancel();
          if (connection->waits_for_reply) connection->waits_for_reply->cancel();
        }
      });
    count_changed.wait(wait, none);
    wait.unlock();
    aside.stop();
    work.clear();
    for (const auto& loop : loops) loop->context.stop();
    for (const auto& loop : loops) loop->thread.join();
    release_listeners();  // without connections the loops may have ended before their turn came
    tcp_acceptor.reset();
    unix_acceptor.reset();
  }

  // --- connections ---

  /// Ends what waits for too long. Looking at every connection five times a second costs less than a timer for each.
  Awaitable<void> watch(Loop& loop) {
    Timer timer(loop.context.get_executor());
    for (;;) {
      timer.expires_after(std::chrono::milliseconds(200));
      auto [error] = co_await timer.async_wait(kAwait);
      if (error) co_return;
      const Instant now = Clock::now();
      for (Connection* connection : loop.connections) {
        const bool late = now > connection->deadline;
        connection->timed_out = connection->timed_out || late;
        // `closing` again and again: a connection may just have begun something new.
        if (late || loop.closing || (loop.draining && connection->idle)) connection->cancel();
      }
    }
  }

  template <class Protocol>
  Awaitable<void> accept_all(asio::basic_socket_acceptor<Protocol, Executor>& acceptor) {
    Timer pause(loops[0]->context.get_executor());
    constexpr bool is_tcp = std::is_same_v<Protocol, tcp>;
    for (size_t next = 0;; ++next) {
      Loop* const loop = loops[next % loops.size()].get();
      auto [error, socket] = co_await acceptor.async_accept(loop->context.get_executor(), kAwait);
      if (draining || !acceptor.is_open()) co_return;
      if (error) {
        // Mostly: no more file descriptors. Others will be closed.
        pause.expires_after(std::chrono::milliseconds(100));
        co_await pause.async_wait(kAwait);
        continue;
      }
      std::string remote = "local";
      if constexpr (is_tcp) {
        ErrorCode ignored;
        socket.set_option(tcp::no_delay(true), ignored);
        const auto endpoint = socket.remote_endpoint(ignored);
        if (ignored) continue;
        remote = endpoint.address().to_string();
      }
      if (open_connections >= options.max_connections && is_tcp) {
        refuse(socket.native_handle());
        continue;
      }
      ++open_connections;
      asio::post(loop->context,
                 [this, loop, generic = Socket(std::move(socket)), remote = std::move(remote)]() mutable {
                   try {
                     if (is_tcp && tls)
                       open(std::make_unique<TlsConnection>(*loop, std::move(generic), tls->current()),
                            std::move(remote), !is_tcp);
                     else
                       open(std::make_unique<PlainConnection>(*loop, std::move(generic)), std::move(remote), !is_tcp);
                   } catch (...) {
                     connection_ended();
                   }
                 });
    }
  }

  /// One connection too many: says so where the socket takes it at once, in plain text also to TLS clients.
  static void refuse(int socket) {
    constexpr std::string_view kAnswer =
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    [[maybe_unused]] const auto sent = ::send(socket, kAnswer.data(), kAnswer.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  }

  template <class C>
  void open(std::unique_ptr<C> connection, std::string remote, bool local_admin) {
    connection->remote = std::move(remote);
    connection->local_admin = local_admin;
    Loop& loop = connection->loop;
    asio::co_spawn(loop.context, serve(std::move(connection)), [this](std::exception_ptr error) {
      if (error) try {
          std::rethrow_exception(error);
        } catch (const std::exception& e) {
          hooks.log_error(Request{}, nullptr, e.what());
        } catch (...) {
        }
      connection_ended();
    });
  }

  void connection_ended() {
    const std::lock_guard lock(count_mutex);
    if (--open_connections == 0) count_changed.notify_all();
  }

  /// All requests of one connection, one after the other: answers of pipelined requests keep their order by that.
  template <class C>
  Awaitable<void> serve(std::unique_ptr<C> owned) {
    C& c = *owned;
    if constexpr (std::is_same_v<C, TlsConnection>) {
      c.deadline = after(options.header_seconds);
      auto [error] = co_await c.stream.async_handshake(asio::ssl::stream_base::server, kAwait);
      if (error) co_return;
    }
    bool goes_on = true, linger = false;
    while (goes_on && !c.loop.closing) goes_on = co_await serve_one(c, linger);
    c.idle = false;
    c.timed_out = false;
    c.deadline = after(2);
    if constexpr (std::is_same_v<C, TlsConnection>) {
      if (!c.loop.closing) co_await c.stream.async_shutdown(kAwait);
    }
    ErrorCode ignored;
    c.socket().shutdown(asio::socket_base::shutdown_send, ignored);
    if (linger) {
      // Closing with unread input would reset the connection, and the client might never see why it was refused.
      std::unique_ptr<char[]> dropped(new char[16 << 10]);
      for (size_t total = 0; total < kLinger && !c.loop.closing && !c.timed_out;) {
        auto [error, n] = co_await c.socket().async_read_some(asio::buffer(dropped.get(), 16 << 10), kAwait);
        if (error) break;
        total += n;
      }
    }
  }

  /// Reads and answers one request; false where the connection is to be closed.
  template <class C>
  Awaitable<bool> serve_one(C& c, bool& linger) {
    c.buffer.shrink();
    c.timed_out = false;
    if (c.loop.draining && c.buffer.empty()) co_return false;
    std::optional<RequestReader> reader;
    std::optional<HttpError> refused;
    bool begun = false;

    // --- the headers ---
    c.idle = true;
    c.deadline = after(options.idle_seconds);
    while (!refused) {
      if (!c.buffer.empty()) {
        // Empty lines before a request are allowed.
        while (!begun && (c.buffer.data().starts_with('\r') || c.buffer.data().starts_with('\n'))) c.buffer.consume(1);
      }
      if (!c.buffer.empty()) {
        if (!begun) {
          begun = true;
          c.idle = false;
          c.deadline = after(options.header_seconds);
          reader.emplace(options.max_header, options.max_body, options.max_decompressed_body);
          reader->request->remote = c.remote;
          reader->request->local_admin = c.local_admin;
        }
        ErrorCode error;
        c.buffer.consume(reader->put(asio::buffer(c.buffer.data()), error));
        if (!error && reader->is_header_done()) break;
        if (error && error != boost::beast::http::error::need_more) {
          refused = reader->refusal(error);
          break;
        }
        if (!error) continue;
      }
      if (!c.buffer.make_room(options.max_header + kIdleBuffer)) {
        refused.emplace(431, "headers_too_large", "the headers are too large");
        break;
      }
      auto [error, n] = co_await c.stream.async_read_some(c.buffer.room(), kAwait);
      if (error && begun && c.timed_out && !c.loop.closing) {
        refused.emplace(408, "timeout", "the request did not come in time");
        break;
      }
      if (error) co_return false;
      c.buffer.commit(n);
    }

    Request& request = *reader->request;
    request.id = is_sensible_id(request.header("x-request-id")) ? std::string(request.header("x-request-id"))
                                                                : to_hex(c.loop.random.next());
    Plan plan;
    bool keep_alive = !refused && reader->keep_alive() && !reader->other_coding;
    std::optional<Response> response;
    if (refused)
      response = Response::error(*refused, request.id);
    else
      response = prepare(*reader, plan);
    linger = refused.has_value();

    // --- the body ---
    Counted body_bytes(buffered);
    if (!refused && !reader->is_done() && !reader->other_coding) {
      if (response) {
        const auto length = reader->content_length();
        if (length && *length <= kSkippedBody && !reader->expects) {
          reader->discard_body();
        } else {
          keep_alive = false;
          linger = true;
        }
      }
      if (!response || !linger) {
        reader->eager(true);
        c.timed_out = false;
        c.deadline = after(options.body_seconds);
        if (reader->expects && c.buffer.empty()) {
          static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
          auto [error, n] = co_await asio::async_write(c.stream, asio::buffer(kContinue), kAwait);
          if (error) co_return false;
        }
        for (;;) {
          if (!c.buffer.empty()) {
            ErrorCode error;
            c.buffer.consume(reader->put(asio::buffer(c.buffer.data()), error));
            if (error && error != boost::beast::http::error::need_more) {
              refused = reader->refusal(error);
              break;
            }
            if (reader->is_done()) break;
            if (body_bytes.set(request.body.size()) > options.max_buffered) {
              refused.emplace(503, "overloaded", "too many large requests at once");
              refused->retry_after = 1;
              break;
            }
          }
          if (!c.buffer.make_room(kReadBuffer)) {
            refused.emplace(400, "malformed_request", "a chunk's header or the trailers are too long");
            break;
          }
          auto [error, n] = co_await c.stream.async_read_some(c.buffer.room(), kAwait);
          if (error && c.timed_out && !c.loop.closing) {
            refused.emplace(408, "timeout", "the body did not come in time");
            break;
          }
          if (error) co_return false;
          c.buffer.commit(n);
        }
        if (refused) {
          response = Response::error(*refused, request.id);
          keep_alive = false;
          linger = true;
        }
      }
    }
    c.buffer.shrink();

    // --- the answer ---
    const Instant read = Clock::now();
    c.deadline = kNever;
    if (!response) {
      Counted flight(in_flight);
      if (flight.set(1) > options.max_in_flight && !plan.route->vital) {
        HttpError full(503, "overloaded", "too many requests at once; try again");
        full.retry_after = 1;
        response = Response::error(full, request.id);
      } else {
        auto exchange = std::make_shared<Exchange>();
        dispatch(c.loop, reader->request, *plan.route, exchange);
        if (!exchange->ready) {
          Timer timer(c.loop.context.get_executor(), kNever);
          exchange->timer = c.waits_for_reply = &timer;
          while (!exchange->ready && !c.loop.closing) co_await timer.async_wait(kAwait);
          exchange->timer = c.waits_for_reply = nullptr;
          if (!exchange->ready) co_return false;
        }
        response = std::move(exchange->response);
      }
    }
    if (c.loop.draining) keep_alive = false;
    finish(request, *response);
    const int status = response->status;
    const std::string head =
        write_head(*response, {.request_id = request.id, .keep_alive = keep_alive, .old_version = plan.old_version});
    observe(request, plan.route, status, std::chrono::duration<double>(Clock::now() - read).count(), reader->bytes);
    c.timed_out = false;
    c.deadline = after(options.write_seconds);
    const std::array<asio::const_buffer, 2> pieces = {asio::buffer(head), plan.head || status == 204 || status == 304
                                                                              ? asio::const_buffer()
                                                                              : asio::buffer(response->body)};
    auto [error, n] = co_await asio::async_write(c.stream, pieces, kAwait);
    if (error) linger = false;
    co_return !error && keep_alive;
  }

  // --- requests ---

  struct Plan {
    const Route* route = nullptr;
    bool head = false;         // HEAD: the answer goes without its body
    bool old_version = false;  // HTTP/1.0
  };

  /// What can be said once the headers are there: the route and decoded parameters, or an answer at once.
  std::optional<Response> prepare(RequestReader& reader, Plan& plan) const {
    Request& request = *reader.request;
    try {
      plan.old_version = reader.version != 11;
      plan.head = request.head = reader.method == "HEAD";
      if (reader.other_coding)
        throw HttpError(501, "unsupported_transfer_encoding", "Transfer-Encoding is chunked or absent");
      if (reader.hosts > 1 || (reader.hosts == 0 && !plan.old_version))
        throw HttpError(400, "malformed_request", "a request has one Host header");
      if (reader.expects_other) throw HttpError(417, "unsupported_expectation", "Expect is 100-continue or absent");
      const Target target = split_target(reader.target);
      request.path = std::string(target.path);
      request.query = parse_query(target.query);

      const std::optional<Method> method = plan.head ? Method::kGet : parse_method(reader.method);
      Router::Match match = router.find(method, target.path);
      if (reader.method == "OPTIONS" && (target.path == "*" || !match.allow.empty())) {
        Response response{.status = 204};
        const std::string allow = allow_header(match.allow);
        response.headers.emplace_back("Allow", allow);
        if (!request.header("access-control-request-method").empty()) cors.preflight(request, allow, response);
        return response;
      }
      if (!match.route && match.allow.empty())
        throw HttpError(404, "no_such_route", "there is nothing at this address; /apidocs lists all that there is");
      if (!match.route) {
        const std::string allow = allow_header(match.allow);
        Response response =
            Response::error({405, "method_not_allowed", "here the method is one of " + allow}, request.id);
        response.headers.emplace_back("Allow", allow);
        return response;
      }
      request.method = match.route->method;
      request.parameters = std::move(match.parameters);
      plan.route = match.route;
      reader.start_body();
      return std::nullopt;
    } catch (...) {
      return answer_of_current_exception(request, plan.route);
    }
  }

  Response answer_of_current_exception(const Request& request, const Route* route) const {
    try {
      throw;
    } catch (const HttpError& e) {
      return Response::error(e, request.id);
    } catch (const InvalidInput& e) {
      return Response::error({400, "invalid_request", e.what()}, request.id);
    } catch (const Failure& e) {
      // The reason may name files and tables: it is for the log.
      hooks.log_error(request, route, e.what());
      HttpError error(503, "unavailable",
                      "the server cannot do this now; its log has the reason under this request id");
      error.retry_after = 1;
      return Response::error(error, request.id);
    } catch (const std::exception& e) {
      hooks.log_error(request, route, e.what());
    } catch (...) {
      hooks.log_error(request, route, "an exception of unknown type");
    }
    return Response::error({500, "internal", "an error of the server; its log has the reason under this request id"},
                           request.id);
  }

  void dispatch(Loop& loop, const std::shared_ptr<Request>& request, const Route& route,
                const std::shared_ptr<Exchange>& exchange) {
    const auto state = std::make_shared<ReplyState>(loop.shared_from_this(), exchange, request->id);
    try {
      if (hooks.authorize) hooks.authorize(*request, &route);
      if (!route.aside || !route.aside(*request)) {
        if (!route.gathers || !route.gathers(*request)) return handle(request, route, state);
        return gather(loop, request, route, state);
      }
      if (aside.post([this, request, &route, state] { handle(request, route, state); })) return;
      HttpError error(503, "overloaded", "too many requests that take long are waiting; try again later");
      error.retry_after = 1;
      throw error;
    } catch (...) {
      state->answer(answer_of_current_exception(*request, &route));
    }
  }

  /// The request is answered when all that can be read now has been read.
  void gather(Loop& loop, const std::shared_ptr<const Request>& request, const Route& route,
              const std::shared_ptr<ReplyState>& state) {
    if (loop.gathered.empty()) asio::post(loop.context, [this, &loop] { answer_gathered(loop); });
    loop.gathered.push_back({&route,
                             {request, [state](Response response) { state->answer(std::move(response)); },
                              [this, request, &route, state](std::exception_ptr error) {
                                try {
                                  std::rethrow_exception(error);
                                } catch (...) {
                                  state->answer(answer_of_current_exception(*request, &route));
                                }
                              }}});
  }

  /// Answers some requests of one route; what is left waits for its turn, behind what has been read meanwhile.
  void answer_gathered(Loop& loop) {
    const Route* route = loop.gathered.front().route;
    std::vector<Call> calls;
    std::deque<Loop::Gathered> others;
    for (Loop::Gathered& waiting : loop.gathered)
      if (waiting.route == route && calls.size() < kMostTogether)
        calls.push_back(std::move(waiting.call));
      else
        others.push_back(std::move(waiting));
    loop.gathered = std::move(others);
    if (!loop.gathered.empty()) asio::post(loop.context, [this, &loop] { answer_gathered(loop); });
    try {
      route->handle_together(calls);
    } catch (...) {
      for (const Call& call : calls) call.fail(std::current_exception());
    }
  }

  void handle(const std::shared_ptr<const Request>& request, const Route& route,
              const std::shared_ptr<ReplyState>& state) const {
    try {
      route.handle(request, [state](Response response) { state->answer(std::move(response)); });
    } catch (...) {
      state->answer(answer_of_current_exception(*request, &route));
    }
  }

  /// Coding and headers that every answer has.
  void finish(const Request& request, Response& response) const {
    cors.mark(request, response);
    const size_t size = response.body.size();
    if (size < options.compress_from || size > kMostCompressed || !is_compressible(response.content_type)) return;
    for (const auto& [name, value] : response.headers)
      if (boost::beast::iequals(name, "Content-Encoding")) return;
    response.headers.emplace_back("Vary", "Accept-Encoding");
    const Coding coding = accepted_coding(request.header("accept-encoding"));
    if (coding == Coding::kIdentity) return;
    response.body = encode(coding, response.body);
    response.headers.emplace_back("Content-Encoding", std::string(coding_name(coding)));
  }

  void observe(const Request& request, const Route* route, int status, double seconds, size_t bytes) const noexcept {
    if (!hooks.observe) return;
    try {
      hooks.observe(request, route, status, seconds, bytes);
    } catch (...) {
      // Counting must not cost the client its answer.
    }
  }

  const Router& router;
  Options options;
  Hooks hooks;
  Cors cors;
  std::unique_ptr<TlsContext> tls;
  std::vector<std::shared_ptr<Loop>> loops;
  std::vector<asio::executor_work_guard<Executor>> work;
  std::optional<asio::basic_socket_acceptor<tcp, Executor>> tcp_acceptor;
  std::optional<asio::basic_socket_acceptor<asio::local::stream_protocol, Executor>> unix_acceptor;
  bool owns_unix_path = false, started = false, stopped = false;
  uint16_t bound_port = 0;
  std::atomic<bool> draining = false;
  std::atomic<size_t> open_connections = 0, in_flight = 0, buffered = 0;
  std::mutex stop_mutex, count_mutex;
  std::condition_variable count_changed;
  Aside aside{kMostAside};  // last: its thread uses the others
};

Server::Server(const Router& router, Options options, Hooks hooks)
    : impl_(std::make_unique<Impl>(router, std::move(options), std::move(hooks))) {}
Server::~Server() { stop(); }
void Server::start() { impl_->start(); }
void Server::stop() { impl_->stop(); }
uint16_t Server::port() const { return impl_->bound_port; }
size_t Server::connections() const { return impl_->open_connections; }
size_t Server::in_flight() const { return impl_->in_flight; }
bool Server::draining() const { return impl_->draining; }

}  // namespace fewshop::http
