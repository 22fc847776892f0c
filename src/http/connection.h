#pragma once

// What a connection of the server is made of. For server.cpp, answering.cpp and listeners.cpp only: including Asio and
// TLS costs tens of seconds.

#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "core/random.h"
#include "http/route.h"

namespace fewshop::http {

namespace asio = boost::asio;
using Executor = asio::io_context::executor_type;
template <class T>
using Awaitable = asio::awaitable<T, Executor>;
// TCP and Unix sockets are one type here, so that what serves them is compiled once.
using Socket = asio::basic_stream_socket<asio::generic::stream_protocol, Executor>;
using TlsStream = asio::ssl::stream<Socket>;
using Timer =
    asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Executor>;
using ErrorCode = boost::system::error_code;
inline constexpr asio::as_tuple_t<asio::use_awaitable_t<Executor>> kAwait{};

using Clock = std::chrono::steady_clock;
using Instant = Clock::time_point;
inline constexpr Instant kNever = Instant::max();

inline Instant after(double seconds) {
  return Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

inline constexpr size_t kIdleBuffer = 1 << 10;   // what a connection holds while it is idle
inline constexpr size_t kReadBuffer = 64 << 10;  // what it reads bodies with

/// Bytes that came and were not parsed yet, contiguous, as Beast's parser wants them.
class Buffer {
 public:
  std::string_view data() const { return {bytes_.get() + begin_, end_ - begin_}; }
  bool empty() const { return begin_ == end_; }
  void consume(size_t n) {
    begin_ += n;
    if (begin_ == end_) begin_ = end_ = 0;
  }
  void commit(size_t n) { end_ += n; }
  /// Room for at least one more byte; false where `most` bytes stand here unparsed.
  bool make_room(size_t most) {
    if (!bytes_) resize(kIdleBuffer);
    if (end_ < capacity_) return true;
    if (begin_ > 0) {
      std::memmove(bytes_.get(), bytes_.get() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
      if (end_ * 2 < capacity_) return true;
    }
    if (end_ >= most) return false;
    resize(std::min(most, capacity_ * 8));
    return true;
  }
  asio::mutable_buffer room() { return {bytes_.get() + end_, capacity_ - end_}; }
  /// Back to the small size, if nothing stands here.
  void shrink() {
    if (empty() && capacity_ > kIdleBuffer) resize(kIdleBuffer);
  }

 private:
  void resize(size_t capacity) {
    std::unique_ptr<char[]> bytes(new char[capacity]);
    if (end_ > 0) std::memcpy(bytes.get(), bytes_.get(), end_);
    bytes_ = std::move(bytes);
    capacity_ = capacity;
  }

  std::unique_ptr<char[]> bytes_;
  size_t capacity_ = 0, begin_ = 0, end_ = 0;
};

struct Loop;

/// What the loop must know of a connection to end it. Used by its loop's thread only.
struct Connection {
  explicit Connection(Loop& loop);
  virtual ~Connection();
  /// Ends the operation in progress with operation_aborted.
  virtual void cancel() = 0;

  Loop& loop;
  size_t place = 0;           // in loop.connections
  Instant deadline = kNever;  // of what it waits for now
  bool timed_out = false;
  bool idle = true;  // between requests
  Timer* waits_for_reply = nullptr;
  std::string remote;
  bool local_admin = false;
  Buffer buffer;
};

/// One I/O thread. What waits in its context never owns it: such a circle would keep both for ever.
struct Loop : std::enable_shared_from_this<Loop> {
  explicit Loop(uint64_t seed) : random(seed) {}

  asio::io_context context{1};
  std::vector<Connection*> connections;
  /// Requests that wait for those that were read together with them. Answered before anything else is waited for.
  struct Gathered {
    const Route* route;
    Call call;
  };
  std::deque<Gathered> gathered;
  Random random;  // of request ids
  bool closing = false;
  std::thread thread;
};

inline Connection::Connection(Loop& owner) : loop(owner), place(owner.connections.size()) {
  loop.connections.push_back(this);
}
inline Connection::~Connection() {
  loop.connections[place] = loop.connections.back();
  loop.connections[place]->place = place;
  loop.connections.pop_back();
}

struct PlainConnection final : Connection {
  PlainConnection(Loop& loop, Socket s) : Connection(loop), stream(std::move(s)) {}
  void cancel() override {
    ErrorCode ignored;
    stream.cancel(ignored);
  }
  Socket& socket() { return stream; }
  Socket stream;
};

struct TlsConnection final : Connection {
  TlsConnection(Loop& loop, Socket s, std::shared_ptr<asio::ssl::context> tls)
      : Connection(loop), context(std::move(tls)), stream(std::move(s), *context) {}
  void cancel() override {
    ErrorCode ignored;
    stream.next_layer().cancel(ignored);
  }
  Socket& socket() { return stream.next_layer(); }
  std::shared_ptr<asio::ssl::context> context;  // that it began with
  TlsStream stream;
};

/// Where a connection waits for its answer. `ready`, `response` and `timer` belong to the loop's thread.
struct Exchange {
  bool ready = false;
  Response response;
  Timer* timer = nullptr;

  void complete(Response&& answer) {
    if (ready) return;
    response = std::move(answer);
    ready = true;
    if (timer) timer->cancel();
  }
};

/// What copies of a Reply share. The last one to go answers, if none did. It keeps the loop, so that an answer after
/// the end of the server goes nowhere instead of into freed memory.
class ReplyState {
 public:
  ReplyState(std::shared_ptr<Loop> loop, std::shared_ptr<Exchange> exchange, std::string request_id)
      : loop_(std::move(loop)), exchange_(std::move(exchange)), request_id_(std::move(request_id)) {}
  ~ReplyState() {
    if (used_) return;
    try {
      answer(Response::error({500, "internal", "the request was dropped without an answer"}, request_id_));
    } catch (...) {
      // Out of memory: the connection ends by itself when the server stops.
    }
  }
  ReplyState(const ReplyState&) = delete;
  ReplyState& operator=(const ReplyState&) = delete;

  void answer(Response response) {
    if (used_.exchange(true)) return;
    if (loop_->context.get_executor().running_in_this_thread())
      exchange_->complete(std::move(response));
    else
      asio::post(loop_->context, [exchange = exchange_, response = std::move(response)]() mutable {
        exchange->complete(std::move(response));
      });
  }

 private:
  std::shared_ptr<Loop> loop_;
  std::shared_ptr<Exchange> exchange_;
  std::string request_id_;
  std::atomic<bool> used_ = false;
};

/// Counts while it lives.
class Counted {
 public:
  explicit Counted(std::atomic<size_t>& counter) : counter_(counter) {}
  ~Counted() { counter_ -= amount_; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  /// The total of all after this one counts `amount`.
  size_t set(size_t amount) {
    const size_t total = (counter_ += amount - amount_);
    amount_ = amount;
    return total;
  }

 private:
  std::atomic<size_t>& counter_;
  size_t amount_ = 0;
};

}  // namespace fewshop::http
