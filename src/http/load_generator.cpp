#include "http/load_generator.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <deque>

#include "core/error.h"
#include "core/usage.h"

namespace fewshop::http {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::nanoseconds kLongestWait = std::chrono::milliseconds(10);

struct Connection {
  int socket = -1;
  std::string out, in;
  size_t sent = 0;
  Clock::time_point due;
  bool busy = false;
};

int connect_to(const Load& load) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(load.port);
  if (inet_pton(AF_INET, load.host.c_str(), &address.sin_addr) != 1 ||
      ::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    const std::string why = std::strerror(errno);
    ::close(socket);
    throw Failure(fmt::format("{}:{}: cannot be reached: {}", load.host, load.port, why));
  }
  const int on = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return socket;
}

/// The length of the first whole answer in `in`, 0 where it is not whole yet; its status.
size_t answer_length(const std::string& in, int& status) {
  const size_t end = in.find("\r\n\r\n");
  if (end == std::string::npos) return 0;
  status = in.size() > 12 ? std::atoi(in.c_str() + 9) : 0;
  size_t length = 0;
  for (const char* name : {"\r\nContent-Length: ", "\r\ncontent-length: "}) {
    const size_t at = in.find(name);
    if (at != std::string::npos && at < end) length = std::strtoul(in.c_str() + at + std::strlen(name), nullptr, 10);
  }
  const size_t whole = end + 4 + length;
  return in.size() >= whole ? whole : 0;
}

class Generator {
 public:
  explicit Generator(const Load& load) : load_(load), poll_(epoll_create1(EPOLL_CLOEXEC)) {
    connections_.resize(load.connections);
    for (size_t c = 0; c < connections_.size(); ++c) open(c);
  }
  ~Generator() {
    for (auto& connection : connections_)
      if (connection.socket >= 0) ::close(connection.socket);
    ::close(poll_);
  }
  Generator(const Generator&) = delete;
  Generator& operator=(const Generator&) = delete;

  LoadResult run() {
    const double cpu = thread_cpu_seconds();
    const auto begin = Clock::now();
    const auto end = begin + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(load_.seconds));
    begin_ = begin;
    for (size_t c = 0; c < connections_.size(); ++c) idle_.push_back(c);
    std::vector<epoll_event> events(connections_.size());
    while (Clock::now() < end || busy_ > 0) {
      const bool sending = Clock::now() < end;
      if (sending) send_due();
      const timespec wait = {0, sending ? until_due().count() : kLongestWait.count()};
      const int ready = epoll_pwait2(poll_, events.data(), static_cast<int>(events.size()), &wait, nullptr);
      for (int i = 0; i < ready; ++i) receive(events[i].data.u64);
      // A server that no longer answers ends the load all the same.
      if (Clock::now() > end + std::chrono::seconds(10)) break;
    }
    result_.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    result_.cpu_seconds = thread_cpu_seconds() - cpu;
    std::sort(result_.milliseconds.begin(), result_.milliseconds.end());
    return std::move(result_);
  }

 private:
  void open(size_t c) {
    connections_[c] = {};
    connections_[c].socket = connect_to(load_);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = c;
    epoll_ctl(poll_, EPOLL_CTL_ADD, connections_[c].socket, &event);
  }

  /// When the next request is due.
  Clock::time_point next_due() const {
    if (load_.rate <= 0) return Clock::now();
    return begin_ + std::chrono::duration_cast<Clock::duration>(
                        std::chrono::duration<double>(static_cast<double>(next_) / load_.rate));
  }

  /// How long to wait for answers: to the next request, where a connection is free for it. The generator sleeps; were
  /// it to look all the time, it would take the processor from the server that it measures.
  std::chrono::nanoseconds until_due() const {
    if (idle_.empty()) return kLongestWait;
    return std::clamp<std::chrono::nanoseconds>(next_due() - Clock::now(), std::chrono::nanoseconds(0), kLongestWait);
  }

  void send_due() {
    while (!idle_.empty()) {
      const auto due = next_due();
      if (due > Clock::now()) return;
      const size_t c = idle_.front();
      idle_.pop_front();
      Connection& connection = connections_[c];
      connection.out = load_.request(next_++);
      connection.sent = 0;
      connection.due = due;
      connection.busy = true;
      ++busy_;
      while (connection.sent < connection.out.size()) {
        const ssize_t n = ::send(connection.socket, connection.out.data() + connection.sent,
                                 connection.out.size() - connection.sent, MSG_NOSIGNAL);
        if (n <= 0) break;
        connection.sent += static_cast<size_t>(n);
      }
    }
  }

  void receive(size_t c) {
    Connection& connection = connections_[c];
    char buffer[65536];
    const ssize_t n = ::recv(connection.socket, buffer, sizeof(buffer), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
      ++result_.closed;
      if (connection.busy) --busy_;
      ::close(connection.socket);
      open(c);
      idle_.push_back(c);
      return;
    }
    connection.in.append(buffer, static_cast<size_t>(n));
    int status = 0;
    const size_t length = answer_length(connection.in, status);
    if (length == 0) return;
    connection.in.erase(0, length);
    connection.busy = false;
    --busy_;
    ++result_.requests;
    ++result_.statuses[status];
    result_.milliseconds.push_back(std::chrono::duration<float, std::milli>(Clock::now() - connection.due).count());
    idle_.push_back(c);
  }

  const Load& load_;
  int poll_;
  std::vector<Connection> connections_;
  std::deque<size_t> idle_;
  int busy_ = 0;
  int64_t next_ = 0;
  Clock::time_point begin_;
  LoadResult result_;
};

}  // namespace

double LoadResult::percentile(double share) const {
  if (milliseconds.empty()) return 0;
  const auto at = static_cast<size_t>(share * static_cast<double>(milliseconds.size()));
  return milliseconds[std::min(at, milliseconds.size() - 1)];
}

int64_t LoadResult::failed() const {
  int64_t failed = closed;
  for (const auto& [status, count] : statuses)
    if (status < 200 || status >= 300) failed += count;
  return failed;
}

LoadResult run_load(const Load& load) { return Generator(load).run(); }

std::string request_text(const std::string& method, const std::string& target, const std::string& body) {
  std::string text = method + " " + target + " HTTP/1.1\r\nHost: 127.0.0.1\r\n";
  if (!body.empty()) text += fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n", body.size());
  return text + "\r\n" + body;
}

}  // namespace fewshop::http
