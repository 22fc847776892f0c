// connection.h, which includes Beast, Asio and TLS, is for this file, answering.cpp and listeners.cpp only: each batch
// of files with it takes tens of seconds to compile.
#include "http/server.h"

#include <sys/socket.h>

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
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
#include "http/answering.h"
#include "http/connection.h"
#include "http/listeners.h"
#include "http/request_reader.h"
#include "http/tls_context.h"

namespace fewshop::http {
namespace {

using asio::ip::tcp;

constexpr size_t kSkippedBody = 64 << 10;  // a refused body up to here is read and dropped: the connection lives
constexpr size_t kLinger = 1 << 20;        // what is read and dropped after an answer that closes

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
      : options(std::move(given)), hooks(std::move(given_hooks)), answering(routes, options, hooks) {
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

  void start() {
    if (started) throw std::logic_error("a server starts once");
    started = true;
    for (size_t i = 0; i < options.threads; ++i) loops.push_back(std::make_shared<Loop>(entropy()));
    try {
      load_tls();
      listeners.open(options, loops[0]->context);
    } catch (...) {
      loops.clear();
      throw;
    }
    for (const auto& loop : loops) {
      asio::co_spawn(loop->context, watch(*loop), asio::detached);
      work.emplace_back(loop->context.get_executor());
    }
    if (listeners.tcp) asio::co_spawn(loops[0]->context, accept_all(*listeners.tcp), asio::detached);
    if (listeners.unix_socket) asio::co_spawn(loops[0]->context, accept_all(*listeners.unix_socket), asio::detached);
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

  void stop() {
    std::unique_lock lock(stop_mutex);
    if (loops.empty() || stopped) return;
    stopped = true;
    draining = true;
    for (const auto& loop : loops)
      asio::post(loop->context, [this, loop = loop.get()] {
        if (loop == loops[0].get()) listeners.close();
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
    answering.stop();
    work.clear();
    for (const auto& loop : loops) loop->context.stop();
    for (const auto& loop : loops) loop->thread.join();
    listeners.close();  // without connections the loops may have ended before their turn came
    listeners.clear();
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
        if (late || loop.closing || (draining && connection->idle)) connection->cancel();
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

  /// What becomes of a connection after a request.
  enum class Next { kAnother, kClose, kLinger };

  /// One request on its way.
  struct Turn {
    std::optional<RequestReader> reader;  // from its first byte on
    std::optional<HttpError> refused;     // it makes no sense any further: answered by this, and closed
    Answering::Plan plan;
    std::optional<Response> response;
    bool keep_alive = false;
    bool linger = false;  // what the client still sends has to be read before closing

    const Request& request() const { return *reader->request; }
    /// Parses what came; false where that was the last that can be parsed without more.
    bool put(Buffer& buffer) {
      ErrorCode error;
      buffer.consume(reader->put(asio::buffer(buffer.data()), error));
      if (error && error != boost::beast::http::error::need_more) refused = reader->refusal(error);
      return !error;
    }
    void answer_refusal() {
      if (!refused) return;
      response = Response::error(*refused, request().id);
      keep_alive = false;
      linger = true;
    }
  };

  /// All requests of one connection, one after the other: answers of pipelined requests keep their order by that.
  template <class C>
  Awaitable<void> serve(std::unique_ptr<C> owned) {
    C& c = *owned;
    if constexpr (std::is_same_v<C, TlsConnection>) {
      c.deadline = after(options.header_seconds);
      auto [error] = co_await c.stream.async_handshake(asio::ssl::stream_base::server, kAwait);
      if (error) co_return;
    }
    Next next = Next::kAnother;
    while (next == Next::kAnother && !c.loop.closing) next = co_await serve_one(c);
    c.idle = false;
    c.timed_out = false;
    c.deadline = after(2);
    if constexpr (std::is_same_v<C, TlsConnection>) {
      if (!c.loop.closing) co_await c.stream.async_shutdown(kAwait);
    }
    ErrorCode ignored;
    c.socket().shutdown(asio::socket_base::shutdown_send, ignored);
    if (next == Next::kLinger) {
      // Closing with unread input would reset the connection, and the client might never see why it was refused.
      std::unique_ptr<char[]> dropped(new char[16 << 10]);
      for (size_t total = 0; total < kLinger && !c.loop.closing && !c.timed_out;) {
        auto [error, n] = co_await c.socket().async_read_some(asio::buffer(dropped.get(), 16 << 10), kAwait);
        if (error) break;
        total += n;
      }
    }
  }

  /// Reads and answers one request.
  template <class C>
  Awaitable<Next> serve_one(C& c) {
    c.buffer.shrink();
    c.timed_out = false;
    if (draining && c.buffer.empty()) co_return Next::kClose;
    Turn turn;
    if (!co_await read_headers(c, turn)) co_return Next::kClose;
    begin_answer(c, turn);
    Counted body_bytes(buffered);
    if (awaits_body(turn) && !co_await read_body(c, turn, body_bytes)) co_return Next::kClose;
    c.buffer.shrink();

    const Instant read = Clock::now();
    c.deadline = kNever;
    if (!turn.response && !co_await answer(c, turn)) co_return Next::kClose;
    if (draining) turn.keep_alive = false;
    const bool sent = co_await write(c, turn, read);
    co_return !sent ? Next::kClose : turn.keep_alive ? Next::kAnother : turn.linger ? Next::kLinger : Next::kClose;
  }

  /// Up to the empty line, or a refusal. False where the client went away, or nothing came in time: nobody to answer.
  template <class C>
  Awaitable<bool> read_headers(C& c, Turn& turn) {
    c.idle = true;
    c.deadline = after(options.idle_seconds);
    for (;;) {
      // Empty lines before a request are allowed.
      while (!turn.reader && (c.buffer.data().starts_with('\r') || c.buffer.data().starts_with('\n')))
        c.buffer.consume(1);
      if (!c.buffer.empty()) {
        if (!turn.reader) {
          c.idle = false;
          c.deadline = after(options.header_seconds);
          turn.reader.emplace(options.max_header, options.max_body, options.max_decompressed_body);
          turn.reader->request->remote = c.remote;
          turn.reader->request->local_admin = c.local_admin;
        }
        const bool more = turn.put(c.buffer);
        if (turn.refused || (more && turn.reader->is_header_done())) co_return true;
        if (more) continue;
      }
      if (!c.buffer.make_room(options.max_header + kIdleBuffer)) {
        turn.refused.emplace(431, "headers_too_large", "the headers are too large");
        co_return true;
      }
      auto [error, n] = co_await c.stream.async_read_some(c.buffer.room(), kAwait);
      if (error && turn.reader && c.timed_out && !c.loop.closing) {
        turn.refused.emplace(408, "timeout", "the request did not come in time");
        co_return true;
      }
      if (error) co_return false;
      c.buffer.commit(n);
    }
  }

  /// What the headers alone decide: the route, or an answer at once.
  void begin_answer(Connection& c, Turn& turn) {
    RequestReader& reader = *turn.reader;
    const std::string_view given = reader.request->header("x-request-id");
    reader.request->id = is_sensible_id(given) ? std::string(given) : to_hex(c.loop.random.next());
    if (turn.refused) return turn.answer_refusal();
    turn.keep_alive = reader.keep_alive() && !reader.other_coding;
    turn.response = answering.prepare(reader, turn.plan);
  }

  /// Whether a body is to be read. One that nobody needs is read where it is short, so that the connection can go on.
  static bool awaits_body(Turn& turn) {
    RequestReader& reader = *turn.reader;
    if (turn.refused || reader.is_done() || reader.other_coding) return false;
    if (!turn.response) return true;
    const auto length = reader.content_length();
    if (length && *length <= kSkippedBody && !reader.expects) {
      reader.discard_body();
      return true;
    }
    turn.keep_alive = false;
    turn.linger = true;
    return false;
  }

  /// Up to the body's end, or a refusal. False where the client went away.
  template <class C>
  Awaitable<bool> read_body(C& c, Turn& turn, Counted& body_bytes) {
    turn.reader->eager(true);
    c.timed_out = false;
    c.deadline = after(options.body_seconds);
    if (turn.reader->expects && c.buffer.empty()) {
      static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
      auto [error, n] = co_await asio::async_write(c.stream, asio::buffer(kContinue), kAwait);
      if (error) co_return false;
    }
    while (!turn.refused) {
      if (!c.buffer.empty()) {
        turn.put(c.buffer);
        if (turn.refused) break;
        if (turn.reader->is_done()) co_return true;
        if (body_bytes.set(turn.request().body.size()) > options.max_buffered) {
          turn.refused.emplace(503, "overloaded", "too many large requests at once");
          turn.refused->retry_after = 1;
          break;
        }
      }
      if (!c.buffer.make_room(kReadBuffer)) {
        turn.refused.emplace(400, "malformed_request", "a chunk's header or the trailers are too long");
        break;
      }
      auto [error, n] = co_await c.stream.async_read_some(c.buffer.room(), kAwait);
      if (error && c.timed_out && !c.loop.closing)
        turn.refused.emplace(408, "timeout", "the body did not come in time");
      else if (error)
        co_return false;
      else
        c.buffer.commit(n);
    }
    turn.answer_refusal();
    co_return true;
  }

  /// Waits for the route's answer. False where the server ends first.
  template <class C>
  Awaitable<bool> answer(C& c, Turn& turn) {
    Counted flight(in_flight);
    if (flight.set(1) > options.max_in_flight && !turn.plan.route->vital) {
      HttpError full(503, "overloaded", "too many requests at once; try again");
      full.retry_after = 1;
      turn.response = Response::error(full, turn.request().id);
      co_return true;
    }
    const auto exchange = std::make_shared<Exchange>();
    answering.dispatch(c.loop, turn.reader->request, *turn.plan.route, exchange);
    if (!exchange->ready) {
      Timer timer(c.loop.context.get_executor(), kNever);
      exchange->timer = c.waits_for_reply = &timer;
      while (!exchange->ready && !c.loop.closing) co_await timer.async_wait(kAwait);
      exchange->timer = c.waits_for_reply = nullptr;
      if (!exchange->ready) co_return false;
    }
    turn.response = std::move(exchange->response);
    co_return true;
  }

  /// Sends the answer. `read`: when the request had been read. False where the client went away.
  template <class C>
  Awaitable<bool> write(C& c, Turn& turn, Instant read) {
    Response& response = *turn.response;
    answering.finish(turn.request(), response);
    const int status = response.status;
    const std::string head = write_head(
        response,
        {.request_id = turn.request().id, .keep_alive = turn.keep_alive, .old_version = turn.plan.old_version});
    answering.observe(turn.request(), turn.plan.route, status,
                      std::chrono::duration<double>(Clock::now() - read).count(), turn.reader->bytes);
    c.timed_out = false;
    c.deadline = after(options.write_seconds);
    const bool bodyless = turn.plan.head || status == 204 || status == 304;
    const std::array<asio::const_buffer, 2> pieces = {asio::buffer(head),
                                                      bodyless ? asio::const_buffer() : asio::buffer(response.body)};
    auto [error, n] = co_await asio::async_write(c.stream, pieces, kAwait);
    co_return !error;
  }

  Options options;
  Hooks hooks;
  std::unique_ptr<TlsContext> tls;
  std::vector<std::shared_ptr<Loop>> loops;
  std::vector<asio::executor_work_guard<Executor>> work;
  Listeners listeners;
  bool started = false, stopped = false;
  std::atomic<bool> draining = false;
  std::atomic<size_t> open_connections = 0, in_flight = 0, buffered = 0;
  std::mutex stop_mutex, count_mutex;
  std::condition_variable count_changed;
  Answering answering;  // last: its thread uses the others
};

Server::Server(const Router& router, Options options, Hooks hooks)
    : impl_(std::make_unique<Impl>(router, std::move(options), std::move(hooks))) {}
Server::~Server() { stop(); }
void Server::start() { impl_->start(); }
void Server::stop() { impl_->stop(); }
uint16_t Server::port() const { return impl_->listeners.port; }
size_t Server::connections() const { return impl_->open_connections; }
size_t Server::in_flight() const { return impl_->in_flight; }
bool Server::draining() const { return impl_->draining; }

}  // namespace fewshop::http
